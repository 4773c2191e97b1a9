// A push service of the test's own, and a browser's keys, which decrypt what it gets (RFC 8188, 8291), by Node's own crypto.

import assert from 'node:assert/strict';
import crypto from 'node:crypto';
import http from 'node:http';
import { until } from './wait.mjs';

const HEADER = 21; // salt, record size, length of the key
const POINT = 65;
const TAG = 16;

const expand = (salt, secret, info, length) => Buffer.from(crypto.hkdfSync('sha256', secret, salt, info, length));

export class PushService {
  #server;
  #bodies = [];
  #keys = crypto.createECDH('prime256v1');
  #auth = crypto.randomBytes(16);

  static async start() {
    const service = new PushService();
    service.#keys.generateKeys();
    service.#server = http.createServer((request, answer) => {
      const chunks = [];
      request.on('data', chunk => chunks.push(chunk));
      request.on('end', () => {
        service.#bodies.push(Buffer.concat(chunks));
        answer.writeHead(201).end();
      });
    });
    await new Promise(resolve => service.#server.listen(0, '127.0.0.1', resolve));
    service.origin = `http://127.0.0.1:${service.#server.address().port}`;
    return service;
  }

  close() {
    this.#server.closeAllConnections();
    return new Promise(resolve => this.#server.close(resolve));
  }

  /** What a browser would give for a subscription here. */
  subscription() {
    const keys = { p256dh: this.#keys.getPublicKey('base64url'), auth: this.#auth.toString('base64url') };
    return { endpoint: `${this.origin}/device`, keys };
  }

  /** The nth message (from 1) in the clear, once it is there. */
  async nth(n) {
    await until(() => this.#bodies.length >= n, { what: `push number ${n}` });
    return this.#open(this.#bodies[n - 1]);
  }

  #open(body) {
    const salt = body.subarray(0, 16);
    const sender = body.subarray(HEADER, HEADER + POINT);
    const sealed = body.subarray(HEADER + POINT);
    const info = Buffer.concat([Buffer.from('WebPush: info\0'), this.#keys.getPublicKey(), sender]);
    const secret = expand(this.#auth, this.#keys.computeSecret(sender), info, 32);
    const key = expand(salt, secret, 'Content-Encoding: aes128gcm\0', 16);
    const nonce = expand(salt, secret, 'Content-Encoding: nonce\0', 12);
    const cipher = crypto.createDecipheriv('aes-128-gcm', key, nonce).setAuthTag(sealed.subarray(-TAG));
    const record = Buffer.concat([cipher.update(sealed.subarray(0, -TAG)), cipher.final()]);
    return record.subarray(0, record.lastIndexOf(2)).toString('utf8');
  }
}

/**
 * Chromium's own push service is out of reach here, so the one call that needs it answers with the test's subscription. All
 * else is the browser's: permission, worker, notifications.
 */
export function subscribesAt(page, service) {
  return page.addInitScript(subscription => {
    let current = null;
    PushManager.prototype.getSubscription = async () => current;
    PushManager.prototype.subscribe = async ({ applicationServerKey }) => {
      const bytes = Uint8Array.from(atob(applicationServerKey.replaceAll('-', '+').replaceAll('_', '/')), c => c.charCodeAt(0));
      current = {
        options: { applicationServerKey: bytes.buffer },
        toJSON: () => subscription,
        unsubscribe: async () => {
          current = null;
          return true;
        },
      };
      return current;
    };
  }, service.subscription());
}

/**
 * Hands a message to the page's service worker, as the browser does when one comes, and waits until it is on display. Nobody
 * may ask what is shown before: Chromium takes what it has stored and does not show yet for closed, and forgets it.
 */
export async function deliver(page, data) {
  const worker = await until(() => page.context().serviceWorkers()[0], { what: 'the service worker to run' });
  const before = (await worker.evaluate(handled)).length;
  await push(page, data);
  const outcomes = await until(async () => {
    const all = await worker.evaluate(handled);
    return all.length > before && all.slice(before);
  }, { what: 'the worker to deal with what was pushed' });
  assert.deepEqual(outcomes, ['shown']);
}

/** Runs in the worker: what became of each push since this was first asked. */
const handled = () => {
  if (self.handled === undefined) {
    self.handled = [];
    const { waitUntil } = ExtendableEvent.prototype;
    PushEvent.prototype.waitUntil = function (work) {
      waitUntil.call(this, work.then(() => self.handled.push('shown'), error => self.handled.push(String(error))));
    };
  }
  return self.handled;
};

async function push(page, data) {
  const session = await page.context().newCDPSession(page);
  const registrations = [];
  session.on('ServiceWorker.workerRegistrationUpdated', event => registrations.push(...event.registrations));
  await session.send('ServiceWorker.enable');
  const { origin } = new URL(page.url());
  const ours = () => registrations.findLast(known => known.scopeURL.startsWith(origin) && !known.isDeleted);
  await until(ours, { what: 'the service worker' });
  await session.send('ServiceWorker.deliverPushMessage', { origin, registrationId: ours().registrationId, data });
  await session.detach();
}

/** What the system shows now. */
export const shown = page => page.evaluate(async () => {
  const registration = await navigator.serviceWorker.getRegistration();
  return (await registration.getNotifications()).map(({ title, body, tag, data, lang, silent }) =>
    ({ title, body, tag, data, lang, rings: !silent }));
});
