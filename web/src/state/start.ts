/** Ties the parts together: what the live socket says goes where it belongs, and the account decides whether it is open. */
import { computed, effect, untracked } from '@preact/signals';
import type { Notice, ServerMessage } from '../api/types';
import { t } from '../i18n';
import { noticeText } from '../i18n/notices';
import { keepAwake, showOnLockScreen } from '../media/lock-screen';
import { accountState, load, me, myId, noticed, setMe } from './account';
import { addNotice, hallway, notices } from './hallway';
import { live, onLive } from './live';
import { startPush } from './push';
import { rejoinable } from './resume';
import * as current from './room';
import { toggleMute } from './room-actions';
import { keepKey } from './room-link';
import { memberOf } from './room-reducer';
import { go, place, roomPath, route } from './route';
import { watchService } from './service';
import { settings } from './settings';
import { toast } from './toasts';
import { wide } from './viewport';

const HALLWAY_QUIET_MS = 1_000;

export function start(): void {
  onLive(dispatch);
  effect(keepKey);
  effect(() => {
    const state = accountState.value;
    // Only the account decides here: the socket's own ups and downs must not open it past its back-off.
    untracked(() => {
      if (state === 'ready') live.open();
      if (state !== 'signed_out') return;
      live.close();
      void current.leave();
    });
  });
  effect(() => {
    myId.value;
    untracked(forgetOthers);
  });
  effect(() => {
    if (live.state.value === 'elsewhere') untracked(current.abandon);
  });
  effect(comeBack);
  effect(followRoom);
  const chosen = computed(() => settings.value.microphone);
  effect(() => {
    chosen.value;
    untracked(() => void current.microphoneChosen());
  });
  startPush();
  watchService();
  void load();
}

let whose = '';

/** What one account saw is nothing for the next one on this device. */
function forgetOthers(): void {
  if (whose && whose !== myId.value) {
    current.abandon();
    current.farewell.value = null;
    hallway.clear();
    notices.clear();
  }
  whose = myId.value;
}

let cameBack = false;

/** A reloaded page is in its room again without being asked, unless it was sent to another one. */
function comeBack(): void {
  if (cameBack || accountState.value !== 'ready') return;
  cameBack = true;
  const room = rejoinable();
  const at = route.peek();
  if (room && (at.name !== 'room' || at.id === room)) untracked(() => current.join(room));
}

let opened = false;
/** The newest notice when the socket opened: up to it one hears of what happened while away. */
let missedUpTo = 0;

function dispatch(message: ServerMessage): void {
  switch (message.type) {
    case 'welcome':
      missedUpTo = message.me.notice_seq;
      setMe(message.me);
      current.socketOpened(opened);
      opened = true;
      // Whatever changed while nobody was told.
      hallwayChanged();
      return;
    case 'me':
      if (me.value?.standing === 'waiting' && message.me.standing === 'active') toast(t('notice.admitted'));
      setMe(message.me);
      return;
    case 'ticket':
      if (me.value) me.value = { ...me.value, ticket: message.ticket };
      return;
    case 'notice':
      tell(message.notice);
      return;
    case 'hallway':
      hallwayChanged();
      return;
    default:
      current.received(message);
  }
}

function tell(notice: Notice): void {
  const known = me.value;
  noticed(notice);
  addNotice(notice);
  // What was missed while away is in the list; only what happens now is worth an interruption.
  if (!known || notice.seq <= Math.max(known.notices_read, missedUpTo) || notice.what.kind === 'admitted') return;
  const { what } = notice;
  if ('room' in what && what.room === current.roomId.value) return;
  const action = 'room' in what ? { label: t('notice.open'), run: () => go(roomPath(what.room)) } : undefined;
  toast(noticeText(notice), action);
}

let hallwayTimer: ReturnType<typeof setTimeout> | undefined;

/** Asked again only if somebody looks at it. */
function hallwayChanged(): void {
  const covered = route.value.name === 'room' && !wide.value;
  if (place.value.name !== 'hallway' || covered || document.visibilityState !== 'visible') return;
  if (hallwayTimer !== undefined) return;
  hallwayTimer = setTimeout(() => {
    hallwayTimer = undefined;
    // What is on its way may be from before; it is shown first.
    if (hallway.loading.value) hallwayChanged();
    else void hallway.reload();
  }, HALLWAY_QUIET_MS * Math.random());
}

/** The lock screen and the wake lock follow the room. */
function followRoom(): void {
  const room = current.room.value;
  const member = room ? memberOf(room, myId.value) : undefined;
  void keepAwake(member !== undefined);
  showOnLockScreen(
    room && {
      title: room.title,
      leave: () => void current.leave(),
      toggleMute: member ? toggleMute : undefined,
      muted: member?.muted ?? true,
    },
  );
}
