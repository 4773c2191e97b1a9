/** Those who listen: people whom speakers follow, then everybody else, in pages. Nobody listens unseen. */
import { useEffect, useMemo, useRef } from 'preact/hooks';
import { PAGE_SIZE, rooms } from '../../api/routes';
import type { AudienceMember, PersonBrief, RoomSnapshot } from '../../api/types';
import { t } from '../../i18n';
import { PagedList } from '../../state/list';
import { Icon } from '../../ui/icon';
import { More } from '../../ui/more';
import { Portrait } from '../../ui/portrait';

/** The counts move every second in a large room; the faces need not. */
const RELOAD_AFTER_MS = 300;
const RELOAD_PER_LISTENER_MS = 5;
const RELOAD_AT_MOST_MS = 10_000;
/** In a small room one may come while another goes: the count stays, and nothing says so. */
const LOOK_AGAIN_MS = 15_000;

interface AudienceProps {
  room: RoomSnapshot;
  onPerson: (person: PersonBrief) => void;
}

export function Audience({ room, onPerson }: AudienceProps) {
  const list = useMemo(
    () =>
      new PagedList<AudienceMember>(
        (cursor) => rooms.roster(room.id, cursor),
        ({ person }) => person.id,
      ),
    [room.id],
  );
  const timer = useRef<ReturnType<typeof setTimeout> | undefined>(undefined);
  const stage = room.stage.map((member) => member.person.id).join();
  useEffect(() => {
    // The first at once, those that follow together.
    if (list.items.value === null) void list.reload();
    else
      timer.current ??= setTimeout(() => {
        timer.current = undefined;
        void list.reload();
      }, reloadAfterMs(room.audience_count) * Math.random());
  }, [list, room.audience_count, room.hand_count, stage]);
  useEffect(() => () => clearTimeout(timer.current), []);
  const small = room.audience_count <= PAGE_SIZE;
  useEffect(() => {
    if (!small) return;
    const again = () => document.visibilityState === 'visible' && void list.reload();
    const look = setInterval(again, LOOK_AGAIN_MS * (0.5 + Math.random()));
    return () => clearInterval(look);
  }, [list, small]);
  const onStage = new Set(room.stage.map((member) => member.person.id));
  const listeners = (list.items.value ?? []).filter((member) => !onStage.has(member.person.id));
  const followed = listeners.filter((member) => member.followed_by_stage);
  const others = listeners.filter((member) => !member.followed_by_stage);
  return (
    <section class="audience" aria-label={t('room.audience')}>
      <h2>{t('room.audience_count', { n: room.audience_count })}</h2>
      <Faces title={t('room.followed_by_speakers')} people={followed} onPerson={onPerson} />
      <Faces title={followed.length > 0 ? t('room.everybody_else') : undefined} people={others} onPerson={onPerson} />
      <More list={list} />
    </section>
  );
}

function reloadAfterMs(listeners: number): number {
  return Math.min(RELOAD_AFTER_MS + listeners * RELOAD_PER_LISTENER_MS, RELOAD_AT_MOST_MS);
}

interface FacesProps {
  /** Where there is more than one group. */
  title: string | undefined;
  people: readonly AudienceMember[];
  onPerson: (person: PersonBrief) => void;
}

function Faces({ title, people, onPerson }: FacesProps) {
  if (people.length === 0) return null;
  return (
    <>
      {title && <h3>{title}</h3>}
      <ul class="listeners">
        {people.map(({ person, hand }) => (
          <li key={person.id}>
            <button type="button" class="listener" data-person={person.id} onClick={() => onPerson(person)}>
              <span class="member-face">
                <Portrait person={person} size="medium" />
                {hand && (
                  <span class="mark hand">
                    <Icon name="hand" size={16} />
                  </span>
                )}
              </span>
              <span class="listener-name">{person.name}</span>
              {hand && <span class="for-ear">{t('room.hand.is_up')}</span>}
            </button>
          </li>
        ))}
      </ul>
    </>
  );
}
