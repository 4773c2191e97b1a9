/**
 * Notifications on this device. Permission is asked for when the person presses something that says so, never before.
 * A device that is meant to be pushed to says so at every start: subscriptions end, keys and languages change.
 */
import { computed, effect, signal, untracked } from '@preact/signals';
import { codeOf } from '../api/problem';
import { push } from '../api/routes';
import { locale } from '../i18n';
import { accountState } from './account';
import { forgetPush, subscription, supported, wish, wished } from './push-here';
import { go } from './route';

type PushState = 'unsupported' | 'unknown' | 'service_off' | 'denied' | 'off' | 'on';

const granted = signal<NotificationPermission>(supported() ? Notification.permission : 'denied');
const on = signal(wished());
/** Whether the service pushes at all; not known before it was asked. */
const service = signal<'unknown' | 'on' | 'off'>('unknown');

export const pushState = computed<PushState>(() => {
  if (!supported()) return 'unsupported';
  if (service.value === 'off') return 'service_off';
  if (granted.value === 'denied') return 'denied';
  if (on.value && granted.value === 'granted') return 'on';
  return service.value === 'unknown' ? 'unknown' : 'off';
});

export function startPush(): void {
  navigator.serviceWorker?.addEventListener('message', ({ data }) => {
    if (data?.open) go(String(data.open));
    if (data?.resubscribe) void tellServer().catch(() => undefined);
  });
  effect(() => {
    const state = accountState.value;
    locale.value;
    untracked(() => {
      if (state === 'signed_out') on.value = false;
      // Next time, if it does not work now: the settings show what is wished.
      if (state === 'ready' && pushState.value === 'on') void tellServer().catch(() => undefined);
    });
  });
}

/** Whoever is going to offer it asks first: a permission that is asked for in vain is not given twice. */
export async function askService(): Promise<void> {
  if (!supported()) return;
  try {
    await push.key();
    service.value = 'on';
  } catch (error) {
    // Whoever cannot be reached may push: a press says so then.
    service.value = codeOf(error) === 'push_off' ? 'off' : 'on';
  }
}

/** From a press. Throws what stands in the way. */
export async function turnOn(): Promise<void> {
  granted.value = await Notification.requestPermission();
  if (granted.value !== 'granted') return;
  await tellServer();
  wish(true);
  on.value = true;
}

export async function turnOff(): Promise<void> {
  on.value = false;
  await forgetPush();
  await push.unsubscribe();
}

async function tellServer(again = true): Promise<void> {
  const { key } = await push.key();
  const { endpoint, keys } = (await subscription(key)).toJSON();
  const body = {
    endpoint: endpoint ?? '',
    keys: { p256dh: keys?.p256dh ?? '', auth: keys?.auth ?? '' },
    server_key: key,
    language: locale.value,
  };
  try {
    await push.subscribe(body);
  } catch (error) {
    // Between the two requests: once more with the new one.
    if (!again || codeOf(error) !== 'push_key_changed') throw error;
    await tellServer(false);
  }
}
