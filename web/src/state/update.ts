/**
 * New versions of the app. One that was fetched waits until the person goes to another place and is in no room: then
 * nothing is lost by a reload. The worker that takes over clears the files of the version before it away, so every page
 * that still runs that one reloads in the same way.
 */
import { effect } from '@preact/signals';
import { roomId } from './room';
import { place } from './route';

/** An installed app may be open for weeks without ever loading a page. */
const LOOK_EVERY_MS = 60 * 60_000;

let registration: ServiceWorkerRegistration | undefined;
/** Another page, or this one, has let a new version take over. */
let overtaken = false;
let looked_ms = 0;

export async function startUpdates(): Promise<void> {
  const workers = navigator.serviceWorker;
  if (!workers) return;
  // Without one before, it is the first visit and not an update.
  const controlled = workers.controller !== null;
  workers.addEventListener('controllerchange', () => {
    overtaken = controlled;
    // The worker before may have been busy for a while: the person may be in a room by now.
    if (asked && !roomId.peek()) reload();
  });
  registration = await workers.register('/sw.js').catch(() => undefined);
  looked_ms = Date.now();
  document.addEventListener('visibilitychange', look);
  let first = true;
  effect(() => {
    place.value;
    if (!first) update();
    first = false;
  });
}

let asked = false;

const RELOAD_AGAIN_MS = 10_000;
let reloaded_ms = Number.NEGATIVE_INFINITY;

/** A page that is slow to come must not begin anew with every place that is looked at meanwhile. */
function reload(): void {
  if (performance.now() - reloaded_ms < RELOAD_AGAIN_MS) return;
  reloaded_ms = performance.now();
  location.reload();
}

function update(): void {
  if (roomId.peek()) return;
  if (overtaken) reload();
  else if (registration?.waiting) {
    asked = true;
    registration.waiting.postMessage('take over');
  }
}

function look(): void {
  if (document.visibilityState !== 'visible' || Date.now() - looked_ms < LOOK_EVERY_MS) return;
  looked_ms = Date.now();
  void registration?.update().catch(() => undefined);
}
