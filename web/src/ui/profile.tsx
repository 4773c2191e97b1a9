/** A person as others see them, and the button to follow them. */
import { useSignal } from '@preact/signals';
import { useLayoutEffect } from 'preact/hooks';
import { people } from '../api/routes';
import type { Profile } from '../api/types';
import { languageName, t } from '../i18n';
import { attempt } from '../state/toasts';
import { Button } from './button';
import { Tags } from './page';
import { Portrait } from './portrait';

export function ProfileHead({ profile }: { profile: Profile }) {
  const work = [profile.headline, profile.company].filter(Boolean).join(' · ');
  return (
    <div class="profile-head">
      <Portrait person={profile} size="huge" />
      <p class="profile-name">{profile.name || t('person.unnamed')}</p>
      {profile.handle && <p class="muted">@{profile.handle}</p>}
      {work && <p>{work}</p>}
    </div>
  );
}

export function ProfileBody({ profile }: { profile: Profile }) {
  return (
    <div class="profile-body">
      {(profile.offering || profile.looking_for) && (
        <dl class="offers">
          {profile.offering && (
            <div>
              <dt>{t('person.offering')}</dt>
              <dd>{profile.offering}</dd>
            </div>
          )}
          {profile.looking_for && (
            <div>
              <dt>{t('person.looking_for')}</dt>
              <dd>{profile.looking_for}</dd>
            </div>
          )}
        </dl>
      )}
      {profile.bio && <p class="bio">{profile.bio}</p>}
      <Tags items={profile.topics} />
      {profile.languages.length > 0 && (
        <p class="muted">{t('person.speaks', { list: profile.languages.map(languageName).join(', ') })}</p>
      )}
      {profile.links.length > 0 && (
        <ul class="links">
          {profile.links.map((link) => (
            <li key={link}>
              <a href={link} target="_blank" rel="noopener noreferrer nofollow">
                {link.replace(/^https:\/\//, '')}
              </a>
            </li>
          ))}
        </ul>
      )}
      {profile.invited_by && <p class="muted">{t('person.invited_by', { name: profile.invited_by.name })}</p>}
    </div>
  );
}

interface FollowProps {
  id: string;
  name: string;
  /** `undefined`: not known here; following once more changes nothing. */
  followed: boolean | undefined;
  small?: boolean;
  /** It is being asked. */
  waiting?: boolean;
  onChange?: (followed: boolean) => void;
}

export function FollowButton({ id, name, followed, small, waiting, onChange }: FollowProps) {
  const on = useSignal(followed ?? false);
  useLayoutEffect(() => {
    on.value = followed ?? false;
  }, [followed]);
  const press = async () => {
    const next = !on.value;
    on.value = next;
    const done = await attempt(async () => {
      await people.follow(id, next);
      return true;
    });
    if (done) onChange?.(next);
    else on.value = !next;
  };
  return (
    <Button kind={on.value ? 'quiet' : 'primary'} small={small} busy={waiting} pressed={on.value} onPress={press}>
      {on.value ? t('person.followed') : t('person.follow')}
      <span class="for-ear"> {name}</span>
    </Button>
  );
}
