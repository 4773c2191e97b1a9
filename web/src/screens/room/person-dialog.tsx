/** Somebody in the room: who they are, and exactly what one may do to them. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { people } from '../../api/routes';
import type { Moderation, PersonBrief, ProfileView } from '../../api/types';
import { shortNumber, t } from '../../i18n';
import { myId } from '../../state/account';
import { moderation } from '../../state/rights';
import { asked, room } from '../../state/room';
import { moderate } from '../../state/room-actions';
import { personPath } from '../../state/route';
import { Button } from '../../ui/button';
import { Dialog } from '../../ui/dialog';
import { FollowButton, ProfileBody, ProfileHead } from '../../ui/profile';

/** What hurts and is not undone by the next tap is asked about first. */
const ASKED_TWICE = new Set<Moderation>(['remove', 'ban', 'make_moderator']);
const HARSH = new Set<Moderation>(['remove', 'ban']);

export function PersonDialog({ person, onClose }: { person: PersonBrief; onClose: () => void }) {
  const view = useSignal<ProfileView | null>(null);
  const asking = useSignal(true);
  useEffect(() => {
    // The brief one is enough if the rest does not come.
    const found = people.byId(person.id).then(
      (profile) => (view.value = profile),
      () => undefined,
    );
    void found.then(() => (asking.value = false));
  }, [person.id]);
  const brief = { ...EMPTY, ...person, headline: person.headline ?? '' };
  const profile = view.value?.profile ?? brief;
  const mine = person.id === myId.value;
  return (
    <Dialog title={person.name} bare onClose={onClose}>
      <ProfileHead profile={profile} />
      {view.value && (
        <p class="follow-counts">
          <span>{t('person.followers', { n: view.value.followers, short: shortNumber(view.value.followers) })}</span>
          {view.value.follows_you && !mine && <span class="known-tag">{t('person.follows_you')}</span>}
        </p>
      )}
      <div class="row centre">
        {!mine && (
          <FollowButton id={person.id} name={person.name} followed={view.value?.followed} waiting={asking.value} />
        )}
        <a class="button quiet" href={mine ? '/you' : personPath(person)} onClick={onClose}>
          <span>{t('room.view_profile')}</span>
        </a>
      </div>
      <Moderate person={person} onDone={onClose} />
      <ProfileBody profile={profile} />
    </Dialog>
  );
}

const EMPTY = { company: '', bio: '', topics: [], languages: [], links: [], offering: '', looking_for: '' };

function Moderate({ person, onDone }: { person: PersonBrief; onDone: () => void }) {
  const sure = useSignal<Moderation | null>(null);
  if (!room.value) return null;
  const actions = moderation(room.value, myId.value, person.id, asked.value.has(person.id));
  if (actions.length === 0) return null;
  const run = async (action: Moderation) => {
    if (ASKED_TWICE.has(action) && sure.value !== action) {
      sure.value = action;
      return;
    }
    if (await moderate(person, action)) onDone();
  };
  return (
    <section class="moderate" aria-label={t('room.moderate.title')}>
      {sure.value && (
        <p class="note" role="alert">
          {t(`room.moderate.sure.${sure.value as 'remove' | 'ban' | 'make_moderator'}`, { name: person.name })}
        </p>
      )}
      {actions
        .filter((action) => !sure.value || action === sure.value)
        .map((action) => (
          <Button key={action} wide kind={kindOf(action)} onPress={() => run(action)}>
            {t(`room.moderate.${action}`)}
          </Button>
        ))}
      {sure.value && (
        <Button wide kind="plain" onPress={() => (sure.value = null)}>
          {t('common.cancel')}
        </Button>
      )}
    </section>
  );
}

function kindOf(action: Moderation): 'live' | 'danger' | 'quiet' {
  if (HARSH.has(action)) return 'danger';
  return action === 'invite_to_stage' ? 'live' : 'quiet';
}
