/** In the waitlist: the live place, what one can do meanwhile, and how one will hear. */
import { useSignal } from '@preact/signals';
import { invites } from '../api/routes';
import { number, problemText, t } from '../i18n';
import { keepInvite, me, pendingInvite, setMe, signOut } from '../state/account';
import { useTitle } from '../ui/arrival';
import { Button } from '../ui/button';
import { Field } from '../ui/field';
import { Icon } from '../ui/icon';
import { Welcome } from '../ui/welcome';
import { TellMe } from './notifications';
import { LocaleSwitch } from './sign-in';

export function Waiting() {
  const account = me.value;
  const ahead = account?.ticket?.ahead ?? 0;
  useTitle(t('waiting.title'));
  if (!account) return null;
  const done = Boolean(account.profile.name && account.profile.handle);
  return (
    <Welcome footer={<LocaleSwitch />}>
      <div class="welcome-card">
        <h1>{t('waiting.title')}</h1>
        <div class="place-in-line" role="status" aria-live="polite">
          <strong>{number(ahead)}</strong>{' '}
          <span>{ahead > 0 ? t('waiting.ahead', { n: ahead }) : t('waiting.next')}</span>
        </div>
        <p class="lead">{t('waiting.how_you_hear')}</p>
        <TellMe />
        <h2>{t('waiting.meanwhile')}</h2>
        <a class="card-link" href="/you/edit">
          <Icon name={done ? 'check' : 'you'} />
          <span>
            <strong>{done ? t('waiting.profile_done') : t('waiting.profile')}</strong>
            <small>{done ? `@${account.profile.handle}` : t('waiting.profile_note')}</small>
          </span>
          <Icon name="next" size={20} />
        </a>
        <HaveInvite />
        <div class="row spread">
          <span class="muted">{t('waiting.ticket', { n: account.ticket?.number ?? 0 })}</span>
          <Button kind="plain" small onPress={signOut}>
            {t('settings.sign_out')}
          </Button>
        </div>
      </div>
    </Welcome>
  );
}

/** Somebody who has a link gets past the queue; the whole link or only its code may be pasted. */
function HaveInvite() {
  const code = useSignal(pendingInvite.value ?? '');
  const error = useSignal<string | null>(null);
  const accept = async (event: Event) => {
    event.preventDefault();
    const bare = code.value.trim().split('/').at(-1) ?? '';
    if (!bare) return;
    try {
      setMe(await invites.accept(bare));
      keepInvite(null);
    } catch (thrown) {
      error.value = problemText(thrown);
    }
  };
  return (
    <form onSubmit={accept}>
      <Field label={t('waiting.invite')} value={code} error={error.value} input={{ autocomplete: 'off' }}>
        <Button type="submit" disabled={!code.value.trim()}>
          {t('waiting.invite_accept')}
        </Button>
      </Field>
    </form>
  );
}
