/**
 * Keeps the shell: pages and hashed files come from the cache at once, so the app opens without a network. A new version
 * is fetched beside the old one and waits until no page is open, or a page says that nothing is lost by a reload now
 * (`state/update.ts`). The API is never touched.
 *
 * And it shows pushes, each event once: a repeat takes the place of the one before without a sound.
 */
/// <reference lib="webworker" />
import { pushText, readPush } from './push-text';

declare const __SHELL__: string[];
declare const __VERSION__: string;

const worker = self as unknown as ServiceWorkerGlobalScope;
/** Static routing (service worker specification, 4.4.2), which the library of types does not know yet. */
type Routed = ExtendableEvent & { addRoutes?(rules: object[]): Promise<void> };
const CACHE = `mitalk-${__VERSION__}`;
/** Tags of pushes that were shown. `state/push-here.ts` has the name too: a worker is one script and shares none. */
const SHOWN_PUSHES = 'pushes';
const MAX_SHOWN = 64;

worker.addEventListener('install', (event) => {
  // Past the HTTP cache: a new version must not be filled with old files.
  const fresh = __SHELL__.map((path) => new Request(path, { cache: 'reload' }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(fresh)));
  event.waitUntil(goPast(event as Routed));
});

/**
 * What is not kept goes past the worker, where the browser can: it need not be started for a request of the API, and one
 * that is to be replaced falls idle. While it is busy none takes over (Chromium waits up to five minutes), and a page asks
 * for its icon with every title.
 */
async function goPast(event: Routed): Promise<void> {
  const rule = (pathname: string, source: string) => ({ condition: { urlPattern: { pathname } }, source });
  const rules = [rule('/assets/*', 'fetch-event'), rule('/v1/*', 'network'), rule('/*.*', 'network')];
  await event.addRoutes?.(rules).catch(() => undefined);
}

worker.addEventListener('message', ({ data }) => {
  if (data === 'take over') void worker.skipWaiting();
});

worker.addEventListener('activate', (event) => {
  const tidy = async () => {
    const names = await caches.keys();
    await Promise.all(
      names.filter((name) => name.startsWith('mitalk-') && name !== CACHE).map((name) => caches.delete(name)),
    );
  };
  event.waitUntil(tidy());
});

worker.addEventListener('fetch', (event) => {
  const { request } = event;
  const url = new URL(request.url);
  if (request.method !== 'GET' || url.origin !== worker.location.origin) return;
  const page = !url.pathname.startsWith('/v1/') && !url.pathname.includes('.');
  if (request.mode === 'navigate' && page) event.respondWith(cached('/', request));
  else if (url.pathname.startsWith('/assets/')) event.respondWith(cached(url.pathname, request));
});

async function cached(path: string, request: Request): Promise<Response> {
  const cache = await caches.open(CACHE);
  return (await cache.match(path)) ?? fetch(request);
}

worker.addEventListener('push', (event) => event.waitUntil(show(event.data?.text() ?? '')));

async function show(text: string): Promise<void> {
  const known = readPush(text);
  const push = known ?? { tag: 'news', kind: '', count: 1, path: '/', language: 'en', at_ms: Date.now() };
  const { registration } = worker;
  // Without its book it rings once more: something must be shown for every push.
  const repeated = known !== undefined && (await wasShown(push.tag).catch(() => false));
  const { title, body } = pushText(push);
  const options = {
    body,
    tag: push.tag,
    renotify: !repeated,
    silent: repeated,
    lang: push.language,
    timestamp: push.at_ms,
    icon: '/icon-192.png',
    badge: '/icon-192.png',
    data: push.path,
  };
  await registration.showNotification(title, options);
  if (known && !repeated) await note(push.tag).catch(() => undefined);
}

/** Also if it was dismissed since. */
async function wasShown(tag: string): Promise<boolean> {
  const book = await caches.open(SHOWN_PUSHES);
  return (await book.match(entry(tag))) !== undefined;
}

async function note(tag: string): Promise<void> {
  const book = await caches.open(SHOWN_PUSHES);
  await book.put(entry(tag), new Response());
  const entries = await book.keys();
  await Promise.all(entries.slice(0, -MAX_SHOWN).map((oldest) => book.delete(oldest)));
}

const entry = (tag: string) => `/${encodeURIComponent(tag)}`;

worker.addEventListener('notificationclick', (event) => {
  event.notification.close();
  event.waitUntil(open(String(event.notification.data)));
});

/** In the window that is there, whatever place it is at: a second one would take its room over. */
async function open(path: string): Promise<void> {
  const windows = await worker.clients.matchAll({ type: 'window', includeUncontrolled: true });
  const [there] = [...windows].sort((a, b) => Number(b.focused) - Number(a.focused));
  if (!there) return void (await worker.clients.openWindow(path));
  there.postMessage({ open: path });
  await there.focus().catch(() => undefined);
}

/** The new one is known to the server once a page, which has the token, says so: now, or when it is next opened. */
worker.addEventListener('pushsubscriptionchange', (event) => {
  const anew = async () => {
    const options = (event as Event & { oldSubscription?: PushSubscription }).oldSubscription?.options;
    if (options) await worker.registration.pushManager.subscribe(options).catch(() => undefined);
    for (const there of await worker.clients.matchAll({ type: 'window' })) there.postMessage({ resubscribe: true });
  };
  (event as ExtendableEvent).waitUntil(anew());
});
