/**
 * The live socket: one per device, kept open while the person is signed in.
 *
 * It says hello with a fresh token, pings, reconnects with back-off and jitter, follows the server's wish to move, and
 * tells its owner what came and whether it is open. It knows nothing about rooms: sequences are `state/room-sync`'s.
 */
import { signal } from '@preact/signals';
import { backoffMs } from '../api/retry';
import { accessToken, refresh, refreshInMs } from '../api/tokens';
import type { ClientMessage, ServerMessage } from '../api/types';

const PING_EVERY_MS = 15_000;
const SILENCE_MS = 10_000;
const FIRST_BACKOFF_MS = 500;
const MAX_BACKOFF_MS = 15_000;
/** The server's close codes that a reconnect would not change. */
const CLOSE_TOKEN = 4401;
const CLOSE_SUSPENDED = 4403;
const CLOSE_ELSEWHERE = 4409;

export type LiveState = 'off' | 'connecting' | 'open' | 'waiting' | 'elsewhere' | 'suspended';

export interface LiveOwner {
  message(message: ServerMessage): void;
  /** The newest notice that this device has. */
  noticesAfter(): number;
}

export class LiveSocket {
  readonly state = signal<LiveState>('off');
  /** For `JoinRequest.socket`; changes with every connection. */
  id: string | undefined;
  #owner: LiveOwner;
  #socket: WebSocket | undefined;
  #tries = 0;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #ping: ReturnType<typeof setInterval> | undefined;
  #silence: ReturnType<typeof setTimeout> | undefined;
  #renew: ReturnType<typeof setTimeout> | undefined;
  #move: ReturnType<typeof setTimeout> | undefined;
  /** The server is about to restart and asked us to come back then, on the page's clock. */
  #comeBackAt_ms: number | undefined;
  /** Counts connections that were begun: one that was overtaken while it waited for its token gives up. */
  #attempt = 0;

  constructor(owner: LiveOwner) {
    this.#owner = owner;
    addEventListener('online', () => this.#hurry());
    document.addEventListener('visibilitychange', () => document.visibilityState === 'visible' && this.#hurry());
  }

  open(): void {
    if (this.state.value === 'connecting' || this.state.value === 'open') return;
    void this.#connect();
  }

  close(): void {
    this.#drop();
    this.state.value = 'off';
  }

  send(message: ClientMessage): boolean {
    if (this.state.value !== 'open' || this.#socket?.readyState !== WebSocket.OPEN) return false;
    this.#socket.send(JSON.stringify(message));
    return true;
  }

  async #connect(): Promise<void> {
    clearTimeout(this.#retry);
    this.state.value = 'connecting';
    const attempt = ++this.#attempt;
    const token = await accessToken().catch(() => undefined);
    // A refused refresh has signed out, and closed this.
    if (attempt !== this.#attempt || this.state.value !== 'connecting') return;
    if (token === undefined) {
      this.#again();
      return;
    }
    const socket = new WebSocket(`${location.origin.replace(/^http/, 'ws')}/v1/live`);
    this.#socket = socket;
    this.#watchSilence();
    socket.onopen = () => {
      const hello: ClientMessage = { type: 'hello', token, notices_after: this.#owner.noticesAfter() };
      socket.send(JSON.stringify(hello));
    };
    socket.onmessage = (event) => this.#received(JSON.parse(String(event.data)) as ServerMessage);
    socket.onclose = (event) => {
      if (this.#socket === socket) this.#closed(event.code, token);
    };
  }

  #received(message: ServerMessage): void {
    clearTimeout(this.#silence);
    if (message.type === 'welcome') {
      this.id = message.socket;
      this.#tries = 0;
      this.state.value = 'open';
      this.#ping = setInterval(() => this.#pinged(), PING_EVERY_MS);
      this.#renewLater();
    }
    if (message.type === 'moving') {
      // Each client was told another moment. The server usually closes before it.
      this.#comeBackAt_ms = performance.now() + message.after_ms;
      clearTimeout(this.#move);
      this.#move = setTimeout(() => this.#reconnect(), message.after_ms);
    }
    if (message.type !== 'pong') this.#owner.message(message);
  }

  #pinged(): void {
    if (this.send({ type: 'ping' })) this.#watchSilence();
  }

  /** A network that went away is noticed by the pong that does not come. */
  #watchSilence(): void {
    clearTimeout(this.#silence);
    this.#silence = setTimeout(() => this.#reconnect(), SILENCE_MS);
  }

  /** The socket lives longer than a token: it is told the next one in time. */
  #renewLater(): void {
    clearTimeout(this.#renew);
    this.#renew = setTimeout(async () => {
      try {
        this.send({ type: 'token', token: await accessToken() });
        this.#renewLater();
      } catch {
        // Without a token the server closes the socket, and the reconnect says why.
      }
    }, refreshInMs() + 500);
  }

  #closed(code: number, token: string): void {
    this.#drop();
    if (code === CLOSE_SUSPENDED) this.state.value = 'suspended';
    else if (code === CLOSE_ELSEWHERE) this.state.value = 'elsewhere';
    else {
      if (code === CLOSE_TOKEN) void refresh(token).catch(() => undefined);
      this.#again();
    }
  }

  #reconnect(): void {
    if (this.state.value === 'off') return;
    this.#drop();
    this.#again();
  }

  #again(): void {
    clearTimeout(this.#retry);
    this.state.value = 'waiting';
    this.#retry = setTimeout(() => this.#connect(), this.#wait_ms());
  }

  #wait_ms(): number {
    const asked_ms = this.#comeBackAt_ms;
    this.#comeBackAt_ms = undefined;
    if (asked_ms !== undefined) return Math.max(0, asked_ms - performance.now());
    return backoffMs(++this.#tries, Math.random(), FIRST_BACKOFF_MS, MAX_BACKOFF_MS);
  }

  #hurry(): void {
    if (this.state.value === 'waiting') void this.#connect();
    else if (this.state.value === 'open') this.#pinged();
  }

  #drop(): void {
    clearInterval(this.#ping);
    for (const timer of [this.#silence, this.#renew, this.#move, this.#retry]) clearTimeout(timer);
    const socket = this.#socket;
    this.#socket = undefined;
    this.id = undefined;
    socket?.close();
  }
}
