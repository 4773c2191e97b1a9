/** Keeps the phone awake while on stage, and puts the room on its lock screen. */

interface Controls {
  title: string;
  leave(): void;
  /** Absent for listeners. */
  toggleMute?: () => void;
  muted: boolean;
}

let lock: WakeLockSentinel | undefined;
let wanted = false;
let busy = false;
const held = () => lock !== undefined && !lock.released;

/**
 * The browser lets go of the lock when the page is hidden; it is asked for again when the page is back. There is one
 * request at a time, and what is wanted is looked at again after it: a lock that nobody knows of is never released.
 */
export async function keepAwake(on: boolean): Promise<void> {
  wanted = on;
  if (busy) return;
  busy = true;
  while (wanted !== held()) {
    if (wanted) lock = await navigator.wakeLock?.request('screen').catch(() => undefined);
    else await lock?.release().catch(() => undefined);
    // Refused: until something changes.
    if (wanted && !held()) break;
  }
  busy = false;
}

document.addEventListener('visibilitychange', () => {
  if (wanted && document.visibilityState === 'visible') void keepAwake(true);
});

export function showOnLockScreen(controls: Controls | null): void {
  const session = navigator.mediaSession;
  if (!session) return;
  session.metadata = controls ? new MediaMetadata({ title: controls.title, artist: 'Mi Talk' }) : null;
  session.playbackState = controls ? 'playing' : 'none';
  handle('stop', controls?.leave);
  handle('hangup', controls?.leave);
  handle('togglemicrophone', controls?.toggleMute);
  void session.setMicrophoneActive?.(controls ? !controls.muted : false);
}

function handle(action: string, run: (() => void) | undefined): void {
  try {
    navigator.mediaSession.setActionHandler(action as MediaSessionAction, run ?? null);
  } catch {
    // A browser that does not know the action has no button for it.
  }
}
