// The service, played: routes and the live socket answered inside the browser tool, and a PeerConnection that connects
// to nobody. For pictures and layout only; what is heard is tested against the real server.

import { readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import { extname } from 'node:path';
import { fileURLToPath } from 'node:url';
import * as cast from './people.mjs';

const dist = fileURLToPath(new URL('../../dist', import.meta.url));
const TYPES = {
  '.html': 'text/html',
  '.js': 'text/javascript',
  '.css': 'text/css',
  '.svg': 'image/svg+xml',
  '.png': 'image/png',
  '.webmanifest': 'application/manifest+json',
};
/** As strict as the server's. */
const POLICY =
  "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; manifest-src 'self'; worker-src 'self'; media-src 'self' blob:; base-uri 'none'; form-action 'self'; frame-ancestors 'none'";

/** The built app. `upgrade` makes another version of it: another page, and a worker that knows it by another name. */
export function serve(port) {
  let version;
  const upgraded = (file, body) => {
    if (file === '/index.html')
      return String(body).replace('<head>', `<head><meta name="version" content="${version}">`);
    return file === '/sw.js' ? String(body).replace(/[0-9a-f]{12}/, version) : body;
  };
  const server = createServer((request, response) => {
    const path = new URL(request.url, 'http://localhost').pathname;
    const file = extname(path) ? path : '/index.html';
    try {
      const built = readFileSync(dist + file);
      const body = version ? upgraded(file, built) : built;
      response.writeHead(200, {
        'content-type': TYPES[extname(file)] ?? 'application/octet-stream',
        'content-security-policy': POLICY,
      });
      response.end(body);
    } catch {
      response.writeHead(404).end();
    }
  });
  server.upgrade = (name) => {
    version = name;
  };
  return new Promise((resolve) => server.listen(port, '127.0.0.1', () => resolve(server)));
}

const PATIENCE_MS = 30_000;

/** A list that can be waited on: nothing is asked again and again, and nothing is waited for without end. */
function journal() {
  const entries = [];
  const waiting = new Set();
  return {
    entries,
    note(entry) {
      entries.push(entry);
      for (const look of waiting) look();
    },
    until(enough, what) {
      if (enough(entries)) return Promise.resolve();
      return new Promise((resolve, reject) => {
        const look = () => {
          if (!enough(entries)) return;
          clearTimeout(limit);
          waiting.delete(look);
          resolve();
        };
        const limit = setTimeout(() => {
          waiting.delete(look);
          reject(new Error(`${what} did not come within ${PATIENCE_MS} ms`));
        }, PATIENCE_MS);
        waiting.add(look);
      });
    },
  };
}

const problem = (status, code, more = {}) => ({
  status,
  body: { type: `https://mitalk.example/problems/${code}`, title: code, status, code, ...more },
});

/** What each route answers; a scenario overrides what it needs. */
function answers(scenario) {
  const room = scenario.room ?? cast.room();
  return {
    'POST /v1/auth/code': { status: 202, body: { expires_in_s: 300, resend_after_s: 30 } },
    'POST /v1/auth/verify': problem(401, 'code_wrong'),
    'GET /v1/me': { body: scenario.me ?? cast.me() },
    'GET /v1/service': { body: scenario.service ?? {} },
    'POST /v1/me/number/code': { status: 202, body: { expires_in_s: 300, resend_after_s: 30 } },
    'PUT /v1/me/number': { body: cast.me() },
    'GET /v1/me/export': { body: 'PK' },
    'PUT /v1/me/deletion': { body: cast.me({ deletion_at_ms: cast.LATER }) },
    'DELETE /v1/me/deletion': { body: cast.me() },
    'GET /v1/me/devices': { body: { devices: cast.devices } },
    'GET /v1/push': scenario.pushOff ? problem(404, 'push_off') : { body: { key: 'B'.padEnd(87, 'A') } },
    'GET /v1/me/notice-settings': { body: scenario.noticeSettings ?? { off: [] } },
    'GET /v1/hallway': { body: { items: scenario.cards ?? cast.cards() } },
    'GET /v1/notices': { body: { items: cast.notices } },
    'GET /v1/invites': { body: cast.invites },
    'GET /v1/invite-links/k3mv9q2x': { body: { status: 'pending', by: cast.person('maya') } },
    'GET /v1/users/*/following': { body: { items: cast.people.slice(0, 6) } },
    'GET /v1/users/*/followers': { body: { items: [] } },
    'GET /v1/users/*': { body: view() },
    'GET /v1/handles/*': { body: view() },
    'GET /v1/rooms/*/roster': { body: { items: cast.roster, next_cursor: 'more' } },
    'GET /v1/rooms/*': { body: { ...room, my_role: null } },
    'POST /v1/rooms/*/join': { body: { session: 's1', sdp: 'answer', room, resume_token: 't', resumed: false } },
    ...scenario.answers,
  };
}

const view = () => ({
  profile: cast.profile(cast.person('maya')),
  followed: false,
  follows_you: true,
  followers: 12840,
  following: 312,
});

export { problem };

export async function install(page, scenario) {
  const table = answers(scenario);
  const find = (method, path) => {
    const exact = table[`${method} ${path}`];
    if (exact) return exact;
    const key = Object.keys(table).find((pattern) =>
      new RegExp(`^${pattern.replaceAll('*', '[^/]+')}$`).test(`${method} ${path}`),
    );
    if (key) return table[key];
    return /rooms\/[^/]+\//.test(path) && !path.endsWith('/leave') ? { body: { pending: false } } : { status: 204 };
  };
  const requests = journal();
  await page.route('**/v1/**', async (route) => {
    const request = route.request();
    const path = new URL(request.url()).pathname;
    const answer = find(request.method(), path);
    requests.note(`${request.method()} ${path}`);
    if (answer === 'hang') return;
    if (answer === 'abort') return route.abort();
    const { status = 200, body } = typeof answer === 'function' ? await answer(request) : answer;
    const type = status >= 400 ? 'application/problem+json' : 'application/json';
    await route.fulfill({ status, contentType: type, body: body === undefined ? '' : JSON.stringify(body) });
  });
  const sockets = [];
  const said = journal();
  const opened = [];
  let refusing = false;
  await page.routeWebSocket('**/v1/live', (socket) => {
    opened.push(performance.now());
    if (refusing) {
      socket.close({ code: 1013 });
      return;
    }
    sockets.push(socket);
    socket.onMessage((text) => {
      const message = JSON.parse(text);
      said.note(message);
      if (message.type === 'hello')
        socket.send(JSON.stringify({ type: 'welcome', socket: 'k1', me: scenario.me ?? cast.me() }));
      if (message.type === 'ping') socket.send(JSON.stringify({ type: 'pong' }));
    });
  });
  await page.addInitScript(fakeMicrophone, scenario.microphone ?? 'tone');
  if (!scenario.realPeer) await page.addInitScript(fakePeer, scenario.speaking ?? { 1: 0.16, 2: 0.03 });
  await page.addInitScript(
    ({ settings, signedIn }) => {
      localStorage.setItem('mitalk.settings', JSON.stringify(settings));
      if (signedIn)
        localStorage.setItem(
          'mitalk.tokens',
          JSON.stringify({ access: 'a', refresh: 'r', until_ms: Date.now() + 600_000 }),
        );
    },
    {
      settings: { locale: scenario.locale ?? 'en', theme: scenario.theme ?? 'light', sounds: false },
      signedIn: scenario.signedIn !== false,
    },
  );
  return {
    close: (code) => sockets.at(-1)?.close({ code }),
    tell: (message) => sockets.at(-1)?.send(JSON.stringify(message)),
    answer: (key, value) => {
      table[key] = value;
    },
    /** Closes the live socket and every next one; says when each came. */
    refuse: () => {
      refusing = true;
      opened.length = 0;
      sockets.at(-1)?.close({ code: 1012 });
      return opened;
    },
    /** Waits until the page has said something like this so many times. */
    heard: (like, times = 1) => said.until((all) => all.filter(like).length >= times, `message ${like}`),
    /** What was asked for, as `PUT /v1/rooms/eur1/hand`, in order. */
    requests: requests.entries,
    asked: (wanted, times = 1) =>
      requests.until((all) => all.filter((request) => request === wanted).length >= times, wanted),
  };
}

/** Runs in the page. */
function fakePeer(speaking) {
  class FakePeer extends EventTarget {
    connectionState = 'new';
    iceConnectionState = 'new';
    signalingState = 'stable';
    localDescription = null;
    #count = 0;
    constructor() {
      super();
      window.__peer = this;
    }
    addTransceiver() {
      const slot = this.#count++ - 1;
      const [number, level] = Object.entries(speaking)[slot] ?? [];
      const sender = {
        track: null,
        replaceTrack: async (track) => {
          sender.track = track;
        },
      };
      const receiver = {
        getContributingSources: () =>
          number
            ? [{ source: Number(number), audioLevel: level * (0.6 + 0.4 * Math.random()), timestamp: Date.now() }]
            : [],
      };
      if (slot === -1) this.sending = () => sender.track !== null;
      return { sender, receiver };
    }
    async setLocalDescription() {
      this.localDescription = { sdp: 'offer' };
    }
    async setRemoteDescription() {
      if (!window.__neverConnects) setTimeout(() => this.say('connected'));
    }
    restartIce() {}
    async getStats() {
      return new Map();
    }
    close() {
      this.signalingState = 'closed';
    }
    say(state) {
      this.connectionState = state;
      this.onconnectionstatechange?.();
    }
  }
  window.RTCPeerConnection = FakePeer;
}

/** Runs in the page. */
function fakeMicrophone(microphone) {
  navigator.mediaDevices.getUserMedia = async () => {
    if (microphone === 'denied') throw new DOMException('', 'NotAllowedError');
    window.__asked = (window.__asked ?? 0) + 1;
    // The browser's question stands until the test answers it.
    if (microphone === 'held') await new Promise((done) => window.addEventListener('allow', done, { once: true }));
    const context = new AudioContext();
    const tone = context.createOscillator();
    const out = context.createMediaStreamDestination();
    tone.connect(out);
    tone.start();
    window.__tracks = [...(window.__tracks ?? []), ...out.stream.getTracks()];
    return out.stream;
  };
}

/** Runs in the page: a live socket that only says welcome, without the tool between. */
export function playSocket(me) {
  window.WebSocket = class {
    static OPEN = 1;
    readyState = 1;
    constructor() {
      setTimeout(() => this.onopen?.());
    }
    send(text) {
      const answers = { hello: { type: 'welcome', socket: 'k1', me }, ping: { type: 'pong' } };
      const answer = answers[JSON.parse(text).type];
      if (answer) setTimeout(() => this.onmessage?.({ data: JSON.stringify(answer) }));
    }
    close() {}
  };
}

/** Runs in the page: another end of the connection, which sends a tone on each slot and counts what it receives. */
export async function answerOffer(sdp) {
  const far = new RTCPeerConnection();
  window.__far = far;
  await far.setRemoteDescription({ type: 'offer', sdp });
  const context = new AudioContext();
  window.__farContext = context;
  for (const [slot, transceiver] of far.getTransceivers().slice(1).entries()) {
    const tone = context.createOscillator();
    const out = context.createMediaStreamDestination();
    tone.frequency.value = 440 + 110 * slot;
    tone.connect(out);
    tone.start();
    transceiver.direction = 'sendonly';
    await transceiver.sender.replaceTrack(out.stream.getAudioTracks()[0]);
  }
  await far.setLocalDescription();
  await new Promise((done) => {
    if (far.iceGatheringState === 'complete') done();
    far.onicegatheringstatechange = () => far.iceGatheringState === 'complete' && done();
  });
  return far.localDescription.sdp;
}
