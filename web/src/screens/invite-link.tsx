/** `/i/<code>`: who invites, and the way in. */
import { useSignal } from '@preact/signals';
import { useEffect } from 'preact/hooks';
import { invites } from '../api/routes';
import type { InvitePreview } from '../api/types';
import { problemText, t } from '../i18n';
import { accountState, keepInvite, me, setMe } from '../state/account';
import { go } from '../state/route';
import { attempt } from '../state/toasts';
import { Button } from '../ui/button';
import { Loading } from '../ui/page';
import { Portrait } from '../ui/portrait';

export function InviteLink({ code }: { code: string }) {
  const preview = useSignal<InvitePreview | null>(null);
  const error = useSignal<unknown>(null);
  useEffect(() => {
    document.title = t('app.name');
    invites.preview(code).then(
      (found) => (preview.value = found),
      (thrown: unknown) => (error.value = thrown),
    );
  }, [code]);
  const found = preview.value;
  if (!found && !error.value) return <Loading />;
  const open = found?.status === 'pending';
  return (
    <div class="welcome">
      <div class="welcome-card centred">
        {found?.by ? <Portrait person={found.by} size="huge" /> : <img src="/icon.svg" alt="" width="64" height="64" />}
        <h1>
          {open ? (found.by ? t('invite.from', { name: found.by.name }) : t('invite.invited')) : t('invite.over')}
        </h1>
        <p class="lead">{open ? t('invite.what') : error.value ? problemText(error.value) : t('invite.over_note')}</p>
        <Way code={code} open={open} />
      </div>
    </div>
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
      {accountState.value === 'ready' ? t('invite.to_hallway') : t('invite.sign_up')}
    </Button>
  );
}
