import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import type { ServerMessage } from '../../src/api/types';

class FakeSocket {
  static readonly OPEN = 1;
  static all: FakeSocket[] = [];
  readyState = 1;
  sent: { type: string; [field: string]: unknown }[] = [];
  onopen?: () => void;
  onmessage?: (event: { data: string }) => void;
  onclose?: (event: { code: number }) => void;

  constructor() {
    FakeSocket.all.push(this);
  }
  send(text: string) {
    this.sent.push(JSON.parse(text));
  }
  close() {
    this.readyState = 3;
  }
  tell(message: unknown) {
    this.onmessage?.({ data: JSON.stringify(message) });
  }
}

vi.stubGlobal('WebSocket', FakeSocket);
vi.stubGlobal('location', { origin: 'https://mitalk.example' });
vi.stubGlobal('addEventListener', () => undefined);
vi.stubGlobal('document', { addEventListener: () => undefined });
vi.mock('../../src/api/tokens', () => ({
  accessToken: async () => 'token',
  refresh: async () => 'token2',
  refreshInMs: () => 60_000,
}));
const { LiveSocket } = await import('../../src/live/socket');

const heard: ServerMessage[] = [];
let socket: InstanceType<typeof LiveSocket>;
const newest = () => FakeSocket.all.at(-1) as FakeSocket;

async function opened() {
  socket.open();
  await vi.advanceTimersByTimeAsync(0);
  newest().onopen?.();
  newest().tell({ type: 'welcome', socket: `s${FakeSocket.all.length}`, me: {} });
}

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.all = [];
  heard.length = 0;
  socket = new LiveSocket({ message: (message) => heard.push(message), noticesAfter: () => 7 });
});
afterEach(() => {
  socket.close();
  vi.useRealTimers();
});

test('says hello first, and is open when it is welcome', async () => {
  await opened();
  expect(newest().sent[0]).toEqual({ type: 'hello', token: 'token', notices_after: 7 });
  expect(socket.state.value).toBe('open');
  expect(socket.id).toBe('s1');
});

test('comes back by itself after a close', async () => {
  await opened();
  newest().onclose?.({ code: 1012 });
  expect(socket.state.value).toBe('waiting');
  expect(socket.id).toBeUndefined();
  await vi.advanceTimersByTimeAsync(1_000);
  expect(FakeSocket.all).toHaveLength(2);
});

test('a network that went away is noticed by the missing pong', async () => {
  await opened();
  await vi.advanceTimersByTimeAsync(15_000);
  expect(newest().sent.at(-1)).toEqual({ type: 'ping' });
  await vi.advanceTimersByTimeAsync(10_000);
  expect(socket.state.value).not.toBe('open');
});

test('pongs keep it open and are nobody else’s business', async () => {
  await opened();
  for (let at = 0; at < 75_000; at += 5_000) {
    await vi.advanceTimersByTimeAsync(5_000);
    newest().tell({ type: 'pong' });
  }
  expect(socket.state.value).toBe('open');
  expect(heard.map((message) => message.type)).toEqual(['welcome']);
});

test('the next token is sent before the old one ends', async () => {
  await opened();
  for (let at = 0; at < 61_000; at += 5_000) {
    await vi.advanceTimersByTimeAsync(5_000);
    newest().tell({ type: 'pong' });
  }
  expect(newest().sent).toContainEqual({ type: 'token', token: 'token' });
});

test('moves when the server asks, and stays away when it was opened elsewhere', async () => {
  await opened();
  newest().tell({ type: 'moving', after_ms: 300 });
  await vi.advanceTimersByTimeAsync(1_500);
  expect(FakeSocket.all.length).toBeGreaterThan(1);
  newest().onclose?.({ code: 4409 });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(socket.state.value).toBe('elsewhere');
});
