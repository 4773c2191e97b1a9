/** The queue, for moderators: in order of raising, each hand accepted or declined, and who may raise one at all. */
import { useRef } from 'preact/hooks';
import { now_ms } from '../../api/clock';
import type { PersonBrief, RoomSnapshot } from '../../api/types';
import { ago, t } from '../../i18n';
import { answerHand, changeSettings } from '../../state/room-actions';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { Empty } from '../../ui/page';
import { PersonRow } from '../../ui/people';
import { HandsChoice } from '../new-room';

export function HandsDialog({ room, onClose }: { room: RoomSnapshot; onClose: () => void }) {
  const list = useRef<HTMLOListElement>(null);
  const answer = (person: PersonBrief, accept: boolean) => {
    focusNext(list.current);
    return answerHand(person, accept);
  };
  return (
    <Dialog title={t('room.hands.title')} onClose={onClose}>
      {room.hands.length === 0 && <Empty icon="hand" title={t('room.hands.none')} />}
      <ol class="rows" ref={list}>
        {room.hands.map(({ person, raised_at_ms }) => (
          <PersonRow key={person.id} person={person} note={person.headline || ago(raised_at_ms, now_ms())}>
            <span class="row-actions">
              <Button small kind="plain" onPress={() => answer(person, false)}>
                {t('room.hands.decline')}
                <span class="for-ear"> {person.name}</span>
              </Button>
              <Button small kind="live" onPress={() => answer(person, true)}>
                {t('room.hands.accept')}
                <span class="for-ear"> {person.name}</span>
              </Button>
            </span>
          </PersonRow>
        ))}
      </ol>
      <HandsChoice value={room.hand_raising} onChange={(hand_raising) => void changeSettings({ hand_raising })} />
    </Dialog>
  );
}

/** The row that was pressed goes: the same button of the one after it is next, or of the one before, or the way out. */
function focusNext(list: HTMLOListElement | null): void {
  const pressed = document.activeElement;
  const row = pressed?.closest('li');
  if (!list || !row) return;
  const nth = [...row.querySelectorAll('button')].indexOf(pressed as HTMLButtonElement);
  const neighbour = row.nextElementSibling ?? row.previousElementSibling;
  const next = neighbour?.querySelectorAll('button')[nth] ?? list.closest('dialog')?.querySelector('button');
  next?.focus();
}
