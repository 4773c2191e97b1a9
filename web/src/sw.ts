/**
 * Keeps the shell: pages and hashed files come from the cache at once, so the app opens without a network. A new version
 * is fetched beside the old one and waits until no page is open, or a page says that nothing is lost by a reload now
 * (`state/update.ts`). The API is never touched.
 */
/// <reference lib="webworker" />
declare const __SHELL__: string[];
declare const __VERSION__: string;

const worker = self as unknown as ServiceWorkerGlobalScope;
const CACHE = `mitalk-${__VERSION__}`;

worker.addEventListener('install', (event) => {
  // Past the HTTP cache: a new version must not be filled with old files.
  const fresh = __SHELL__.map((path) => new Request(path, { cache: 'reload' }));
  event.waitUntil(caches.open(CACHE).then((cache) => cache.addAll(fresh)));
});

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
