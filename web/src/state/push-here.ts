/** The browser's side of Web Push: this device's subscription. It knows nothing of the server. */

/** That the person wants it on this device: a subscription can be lost, the wish is not. */
const WISH = 'mitalk.push';
/** A cache of the worker's (`sw.ts`): tags of pushes that were shown. It outlives versions, and not the person. */
const SHOWN_PUSHES = 'pushes';

export const wished = () => localStorage.getItem(WISH) !== null;

export function wish(on: boolean): void {
  if (on) localStorage.setItem(WISH, '1');
  else localStorage.removeItem(WISH);
}

export const supported = () =>
  'PushManager' in globalThis && 'Notification' in globalThis && Boolean(navigator.serviceWorker);

/** A worker that could not be installed never becomes ready. */
const READY_MS = 10_000;

async function ready(): Promise<ServiceWorkerRegistration> {
  const late = new Promise<never>((_, reject) => {
    setTimeout(() => reject(new Error('the service worker is not ready')), READY_MS);
  });
  return Promise.race([navigator.serviceWorker.ready, late]);
}

/** A subscription that was made with this key, if there is or can be one: another one ends. */
export async function subscription(key: string): Promise<PushSubscription> {
  const { pushManager } = await ready();
  const known = await pushManager.getSubscription();
  if (known && keyOf(known.options.applicationServerKey) === key) return known;
  await known?.unsubscribe();
  return pushManager.subscribe({ userVisibleOnly: true, applicationServerKey: key });
}

/** Never fails: a browser that cannot is one that shows nothing. */
export async function forgetPush(): Promise<void> {
  wish(false);
  try {
    await globalThis.caches?.delete(SHOWN_PUSHES).catch(() => undefined);
    const registration = await navigator.serviceWorker?.getRegistration();
    await (await registration?.pushManager?.getSubscription())?.unsubscribe();
  } catch {
    // What is left of it is refused by its push service, or replaced by the next one.
  }
}

/** Base64url, as the server writes keys. */
export function keyOf(bytes: ArrayBuffer | null): string {
  const text = String.fromCharCode(...new Uint8Array(bytes ?? new ArrayBuffer(0)));
  return btoa(text).replace(/\+/g, '-').replace(/\//g, '_').replace(/=+$/, '');
}
