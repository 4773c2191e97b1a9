/**
 * The frame: who is not signed in sees the way in, who waits sees their place, everybody else has three places, a room
 * over them, and what goes on in passing.
 */
import { useLayoutEffect, useRef } from 'preact/hooks';
import { t } from './i18n';
import { Banners } from './screens/banners';
import { EditProfile, Setup } from './screens/edit-profile';
import { Hallway } from './screens/hallway';
import { InviteLink } from './screens/invite-link';
import { Invites } from './screens/invites';
import { NewRoom } from './screens/new-room';
import { Notices } from './screens/notices';
import { People } from './screens/people';
import { Person } from './screens/person';
import { leaveQuietly } from './screens/room/bar';
import { minimise } from './screens/room/head';
import { MiniPlayer } from './screens/room/mini';
import { RoomPanel, roomShown } from './screens/room/panel';
import { SettingsScreen } from './screens/settings';
import { SignIn } from './screens/sign-in';
import { Waiting } from './screens/waiting';
import { You } from './screens/you';
import { accountError, accountState, load, me, needsSetup, signOut } from './state/account';
import { live } from './state/live';
import { farewell, roomId } from './state/room';
import { toggleHand, toggleMute } from './state/room-actions';
import { place, type Route, route } from './state/route';
import { settings } from './state/settings';
import { wide } from './state/viewport';
import { Button } from './ui/button';
import { Failed } from './ui/failed';
import { Icon, type IconName } from './ui/icon';
import { Empty, Loading, Page } from './ui/page';
import { Toasts } from './ui/toasts';

export function App() {
  return (
    <>
      <Connection />
      <Banners />
      <Inside />
      <Toasts />
    </>
  );
}

function Inside() {
  const at = route.value;
  if (at.name === 'invite')
    return (
      <Alone>
        <InviteLink code={at.code} />
      </Alone>
    );
  switch (accountState.value) {
    case 'signed_out':
      return (
        <Alone>
          <SignIn />
        </Alone>
      );
    case 'starting':
      return (
        <Alone>
          <Loading />
        </Alone>
      );
    case 'unreachable':
      return (
        <Alone>
          <Failed whole error={accountError.value} onRetry={load} />
          <SignOut />
        </Alone>
      );
    case 'ready':
      return <Ready />;
  }
}

function Ready() {
  const standing = me.value?.standing;
  if (live.state.value === 'suspended' || standing === 'suspended') {
    return (
      <Alone>
        <Empty whole icon="lock" title={t('app.suspended')} text={t('app.suspended_note')}>
          <SignOut />
        </Empty>
      </Alone>
    );
  }
  if (live.state.value === 'elsewhere')
    return (
      <Alone>
        <Elsewhere />
      </Alone>
    );
  if (standing === 'waiting') {
    return <Alone>{route.value.name === 'edit' ? <EditProfile /> : <Waiting />}</Alone>;
  }
  if (needsSetup.value)
    return (
      <Alone>
        <Setup />
      </Alone>
    );
  return <Places />;
}

function Places() {
  const open = route.value.name === 'room';
  const column = wide.value;
  // Both at once: what is pressed before the next picture must not go to nothing.
  useLayoutEffect(() => {
    const pressed = (event: KeyboardEvent) => keyboard(event, open && !column);
    document.addEventListener('keydown', pressed);
    return () => document.removeEventListener('keydown', pressed);
  }, [open, column]);
  const before = useRef(open);
  useLayoutEffect(() => {
    // The sheet went down: what it became is the next thing to reach.
    if (before.current && !open) document.querySelector<HTMLElement>('.mini-main')?.focus({ preventScroll: true });
    before.current = open;
  }, [open]);
  return (
    <div class="frame">
      <div class="places" inert={open && !column}>
        <main class="place">
          <Place at={place.value} />
        </main>
        {!column && <MiniPlayer />}
        <Tabs />
      </div>
      {(column ? roomShown.value : open) && (
        <section class="room-panel" aria-label={t('room.label')}>
          <RoomPanel />
        </section>
      )}
    </div>
  );
}

function Place({ at }: { at: Route }) {
  switch (at.name) {
    case 'hallway':
      return <Hallway />;
    case 'people':
      return <People />;
    case 'you':
      return <You />;
    case 'edit':
      return <EditProfile />;
    case 'invites':
      return <Invites />;
    case 'notices':
      return <Notices />;
    case 'settings':
      return <SettingsScreen />;
    case 'new':
      return <NewRoom />;
    case 'person':
      return <Person handle={at.handle} />;
    default:
      return (
        <Page title={t('app.missing')} backTo="/">
          <Empty icon="search" title={t('app.missing_note')} />
        </Page>
      );
  }
}

const TABS: {
  href: string;
  icon: IconName;
  label: 'hallway.title' | 'people.title' | 'you.title';
  names: Route['name'][];
}[] = [
  { href: '/', icon: 'room', label: 'hallway.title', names: ['hallway', 'new'] },
  { href: '/people', icon: 'people', label: 'people.title', names: ['people', 'person', 'invites'] },
  { href: '/you', icon: 'you', label: 'you.title', names: ['you', 'edit', 'notices', 'settings'] },
];

function Tabs() {
  return (
    <nav class="tabs" aria-label={t('app.places')}>
      <img class="mark-of-app" src="/icon.svg" alt="" width="40" height="40" />
      {TABS.map(({ href, icon, label, names }) => (
        <a key={href} href={href} aria-current={names.includes(place.value.name) ? 'page' : undefined}>
          <Icon name={icon} />
          <span>{t(label)}</span>
        </a>
      ))}
    </nav>
  );
}

function Alone({ children }: { children: preact.ComponentChildren }) {
  return <main class="alone">{children}</main>;
}

/** No screen is a dead end: another account may be a way on. */
function SignOut() {
  return (
    <div class="row centre">
      <Button kind="plain" icon="sign_out" onPress={signOut}>
        {t('settings.sign_out')}
      </Button>
    </div>
  );
}

function Elsewhere() {
  return (
    <Empty whole icon="device" title={t('app.elsewhere')} text={t('app.elsewhere_note')}>
      <Button kind="primary" onPress={() => live.open()}>
        {t('app.use_here')}
      </Button>
    </Empty>
  );
}

/** A line at the top while the live socket is away; in a room the room says so itself. */
function Connection() {
  const away = live.state.value === 'waiting' && !roomId.value;
  return (
    <div role="status" class="connection">
      {away && <p>{t('app.reconnecting')}</p>}
    </div>
  );
}

function keyboard(event: KeyboardEvent, sheet: boolean): void {
  const target = event.target as HTMLElement;
  if (event.metaKey || event.ctrlKey || event.altKey || event.repeat) return;
  // A dialog has its own Escape, also when nothing in it has the focus.
  if (target.closest('input, textarea, select') || document.querySelector('dialog[open]')) return;
  const key = event.key.toLowerCase();
  if (key === 'escape' && sheet) minimise();
  if (!settings.value.shortcuts || (!roomId.value && !farewell.value)) return;
  if (key === 'm') toggleMute();
  else if (key === 'h') toggleHand();
  else if (key === 'l') leaveQuietly();
}
