/** Oneself: the profile, and the ways to notices, invites and settings. */
import { shortNumber, t } from '../i18n';
import { me, unread } from '../state/account';
import { Icon, type IconName } from '../ui/icon';
import { Page } from '../ui/page';
import { ProfileBody, ProfileHead } from '../ui/profile';

export function You() {
  const account = me.value;
  if (!account) return null;
  return (
    <Page title={t('you.title')}>
      <ProfileHead profile={account.profile} />
      <div class="row centre">
        <a class="button quiet" href="/you/edit">
          <span>{t('you.edit')}</span>
        </a>
      </div>
      <nav class="stack" aria-label={t('you.title')}>
        <Way
          href="/notices"
          icon="bell"
          label={t('notices.title')}
          note={unread.value ? shortNumber(unread.value) : ''}
        />
        <Way href="/invites" icon="invite" label={t('invites.title')} note={shortNumber(account.invites_left)} />
        <Way href="/settings" icon="settings" label={t('settings.title')} />
      </nav>
      <ProfileBody profile={account.profile} />
    </Page>
  );
}

function Way({ href, icon, label, note }: { href: string; icon: IconName; label: string; note?: string }) {
  return (
    <a class="card-link" href={href}>
      <Icon name={icon} />
      <span>
        <strong>{label}</strong>
      </span>
      {note && <span class="pill">{note}</span>}
      <Icon name="next" size={20} />
    </a>
  );
}
