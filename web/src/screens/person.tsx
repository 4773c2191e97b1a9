/** `/u/<handle>`: somebody else's profile, or one's own as others see it. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { people, rooms } from '../api/routes';
import type { ProfileView } from '../api/types';
import { shortNumber, t } from '../i18n';
import { myId } from '../state/account';
import { roomId } from '../state/room';
import { attempt, toast } from '../state/toasts';
import { Button } from '../ui/button';
import { Failed } from '../ui/failed';
import { Loading, Page } from '../ui/page';
import { FollowButton, ProfileBody, ProfileHead } from '../ui/profile';

export function Person({ handle }: { handle: string }) {
  const view = useSignal<ProfileView | null>(null);
  const error = useSignal<unknown>(null);
  const load = async () => {
    error.value = null;
    try {
      view.value = await (handle.startsWith('~') ? people.byId(handle.slice(1)) : people.byHandle(handle));
    } catch (thrown) {
      error.value = thrown;
    }
  };
  useEffect(() => {
    view.value = null;
    void load();
  }, [handle]);
  const shown = view.value;
  return (
    <Page title={shown?.profile.name || t('person.title')} backTo="/people">
      {error.value ? <Failed error={error.value} onRetry={load} /> : shown ? <Shown view={shown} /> : <Loading />}
    </Page>
  );
}

function Shown({ view }: { view: ProfileView }) {
  const { profile } = view;
  const followed = useSignal(view.followed);
  const mine = profile.id === myId.value;
  // The count was made before the tap.
  const followers = view.followers + Number(followed.value) - Number(view.followed);
  const here = roomId.value;
  const ping = async (room: string) => {
    const done = await attempt(async () => {
      await rooms.ping(room, profile.id);
      return true;
    });
    if (done) toast(t('person.pinged', { name: profile.name }));
  };
  return (
    <>
      <ProfileHead profile={profile} />
      <p class="follow-counts">
        <span>{t('person.followers', { n: followers, short: shortNumber(followers) })}</span>
        <span>{t('person.following', { n: view.following, short: shortNumber(view.following) })}</span>
        {view.follows_you && !mine && (
          <span class="known-tag">{followed.value ? t('person.contact') : t('person.follows_you')}</span>
        )}
      </p>
      {!mine && (
        <div class="row centre">
          <FollowButton
            id={profile.id}
            name={profile.name}
            followed={view.followed}
            onChange={(on) => (followed.value = on)}
          />
          {here && followed.value && view.follows_you && (
            <Button icon="bell" onPress={() => ping(here)}>
              {t('person.ping')}
            </Button>
          )}
        </div>
      )}
      <ProfileBody profile={profile} />
    </>
  );
}
