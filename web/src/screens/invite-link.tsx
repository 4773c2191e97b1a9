/** `/i/<code>`: who invites, and the way in; or why this link is none any more. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { mayPass } from '../api/problem';
import { invites } from '../api/routes';
import type { InvitePreview } from '../api/types';
import { t } from '../i18n';
import { accountState, keepInvite, me, setMe } from '../state/account';
import { go } from '../state/route';
import { attempt } from '../state/toasts';
import { useArrival, useTitle } from '../ui/arrival';
import { Button } from '../ui/button';
import { Failed } from '../ui/failed';
import { Icon } from '../ui/icon';
import { Loading } from '../ui/page';
import { Portrait } from '../ui/portrait';
import { Welcome } from '../ui/welcome';

/** A link that nobody knows is over as well. */
type State = InvitePreview['status'] | 'unknown';

export function InviteLink({ code }: { code: string }) {
  const preview = useSignal<InvitePreview | null>(null);
  const error = useSignal<unknown>(null);
  const load = async () => {
    try {
      preview.value = await invites.preview(code);
      error.value = null;
    } catch (thrown) {
      error.value = thrown;
    }
  };
  useTitle('');
  useEffect(() => void load(), [code]);
  const found = preview.value;
  if (error.value && mayPass(error.value)) return <Failed whole error={error.value} onRetry={load} />;
  if (!found && !error.value) return <Loading />;
  const state: State = found?.status ?? 'unknown';
  return (
    <Welcome>
      <div class="welcome-card centred">
        {state === 'pending' ? <Invited by={found?.by} /> : <Over state={state} />}
        <Way code={code} open={state === 'pending'} />
      </div>
    </Welcome>
  );
}

function Invited({ by }: { by: InvitePreview['by'] }) {
  const heading = useArrival();
  return (
    <>
      {by ? <Portrait person={by} size="huge" /> : <img src="/icon.svg" alt="" width="64" height="64" />}
      <h1 ref={heading} tabIndex={-1}>
        {by ? t('invite.from', { name: by.name }) : t('invite.invited')}
      </h1>
      <p class="lead">{t('invite.what')}</p>
    </>
  );
}

function Over({ state }: { state: Exclude<State, 'pending'> }) {
  const heading = useArrival();
  return (
    <>
      <span class="sign">
        <Icon name="link_off" size={32} />
      </span>
      <h1 ref={heading} tabIndex={-1}>
        {t(`invite.over.${state}`)}
      </h1>
      <p class="lead">{accountState.value === 'signed_out' ? t('invite.over_note') : t('invite.over_note_inside')}</p>
    </>
  );
}

function Way({ code, open }: { code: string; open: boolean }) {
  const home = () => go('/', 'replace');
  if (accountState.value === 'ready' && me.value?.standing === 'waiting' && open) {
    const accept = async () => {
      const account = await attempt(() => invites.accept(code));
      if (!account) return;
      setMe(account);
      home();
    };
    return (
      <Button kind="live" wide onPress={accept}>
        {t('invite.accept')}
      </Button>
    );
  }
  const start = () => {
    if (open && accountState.value === 'signed_out') keepInvite(code);
    home();
  };
  return (
    <Button kind={open ? 'live' : 'primary'} wide onPress={start}>
      {accountState.value === 'ready' ? t('invite.go_on') : t('invite.sign_up')}
    </Button>
  );
}
