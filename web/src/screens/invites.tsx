/** Invites: what is left, by number or by link, and what became of those that were given. */
import { useSignal } from '@preact/signals';
import { useEffect, useRef } from 'preact/hooks';
import { Intention } from '../api/client';
import { invites as routes } from '../api/routes';
import type { Invites as Given, Invite } from '../api/types';
import { date, problemText, t } from '../i18n';
import { attempt, toast } from '../state/toasts';
import { Button, IconButton } from '../ui/button';
import { Failed } from '../ui/failed';
import { Field } from '../ui/field';
import { Icon } from '../ui/icon';
import { Loading, Page } from '../ui/page';
import { share } from '../ui/share';

export function Invites() {
  const given = useSignal<Given | null>(null);
  const error = useSignal<unknown>(null);
  const load = async () => {
    try {
      given.value = await routes.list();
      error.value = null;
    } catch (thrown) {
      error.value = thrown;
    }
  };
  useEffect(() => void load(), []);
  const list = given.value;
  return (
    <Page title={t('invites.title')} backTo="/people">
      {!list && (error.value ? <Failed error={error.value} onRetry={load} /> : <Loading />)}
      {list && (
        <>
          <p class="lead">{list.left > 0 ? t('invites.left', { n: list.left }) : t('invites.none_left')}</p>
          {list.rooms_to_next ? <p class="note">{t('invites.next_in', { n: list.rooms_to_next })}</p> : null}
          {list.left > 0 && <Give onGiven={load} />}
          {list.invites.length > 0 && <h2>{t('invites.given')}</h2>}
          <ul class="rows">
            {list.invites.map((invite) => (
              <Row key={invite.id} invite={invite} onChanged={load} />
            ))}
          </ul>
        </>
      )}
    </Page>
  );
}

function Give({ onGiven }: { onGiven: () => Promise<void> }) {
  const phone = useSignal('');
  const error = useSignal<string | null>(null);
  // A retry after a lost answer must not spend a second invite.
  const intentions = useRef({ phone: new Intention(), link: new Intention() });
  const byNumber = async (event: Event) => {
    event.preventDefault();
    if (!phone.value.trim()) return;
    try {
      await routes.toPhone(phone.value, intentions.current.phone.keyOf(phone.value));
      intentions.current.phone.done();
      phone.value = '';
      error.value = null;
      toast(t('invites.sent'));
      await onGiven();
    } catch (thrown) {
      error.value = problemText(thrown);
    }
  };
  const byLink = async () => {
    const invite = await attempt(() => routes.link(intentions.current.link.keyOf('link')));
    if (!invite) return;
    intentions.current.link.done();
    await onGiven();
    if (invite.link) await share(t('invites.share_text'), invite.link);
  };
  return (
    <div class="panel">
      <form onSubmit={byNumber} noValidate>
        <Field
          label={t('invites.by_number')}
          hint={t('invites.by_number_hint')}
          value={phone}
          error={error.value}
          input={{ type: 'tel', inputMode: 'tel', autocomplete: 'off', name: 'invite-phone' }}
        >
          <Button type="submit" kind="primary" disabled={!phone.value.trim()}>
            {t('invites.send')}
          </Button>
        </Field>
      </form>
      <Button icon="link" wide onPress={byLink}>
        {t('invites.make_link')}
      </Button>
    </div>
  );
}

function Row({ invite, onChanged }: { invite: Invite; onChanged: () => Promise<void> }) {
  const pending = invite.status === 'pending';
  const name = invite.accepted_by?.name || invite.phone_hint || t('invites.a_link');
  const revoke = async () => {
    await attempt(() => routes.revoke(invite.id));
    await onChanged();
  };
  return (
    <li class="invite-row">
      <Icon name={invite.phone_hint ? 'device' : 'link'} />
      <span class="who">
        <strong>{name}</strong>
        <small>
          {t(`invites.status.${invite.status}`)}
          {pending && ` · ${t('invites.until', { date: date(invite.expires_at_ms) })}`}
        </small>
      </span>
      {pending && invite.link && (
        <IconButton
          icon="share"
          label={t('common.share')}
          onPress={() => share(t('invites.share_text'), invite.link ?? '')}
        />
      )}
      {pending && (
        <Button small kind="plain" onPress={revoke}>
          {t('invites.revoke')}
        </Button>
      )}
    </li>
  );
}
