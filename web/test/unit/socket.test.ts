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
let accessToken: () => Promise<string>;
vi.mock('../../src/api/tokens', () => ({
  accessToken: () => accessToken(),
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
  accessToken = async () => 'token';
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

test('stays away when it was opened elsewhere', async () => {
  await opened();
  newest().onclose?.({ code: 4409 });
  await vi.advanceTimersByTimeAsync(60_000);
  expect(socket.state.value).toBe('elsewhere');
  expect(FakeSocket.all).toHaveLength(1);
});

test('a server that restarts says when to come back, closes, and is asked then', async () => {
  await opened();
  newest().tell({ type: 'moving', after_ms: 4_000 });
  newest().onclose?.({ code: 1012 });
  expect(socket.state.value).toBe('waiting');
  await vi.advanceTimersByTimeAsync(3_900);
  expect(FakeSocket.all).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(200);
  expect(FakeSocket.all).toHaveLength(2);
  newest().onopen?.();
  newest().tell({ type: 'welcome', socket: 's2', me: {} });
  for (let at = 0; at < 10_000; at += 5_000) {
    await vi.advanceTimersByTimeAsync(5_000);
    newest().tell({ type: 'pong' });
  }
  expect(FakeSocket.all).toHaveLength(2);
  expect(socket.state.value).toBe('open');
});

test('a server that does not close after it asked to move is left', async () => {
  await opened();
  newest().tell({ type: 'moving', after_ms: 300 });
  await vi.advanceTimersByTimeAsync(400);
  expect(FakeSocket.all).toHaveLength(2);
  expect(FakeSocket.all[0]?.readyState).toBe(3);
});

test('a refused refresh signs out, and what is closed stays closed', async () => {
  accessToken = async () => {
    socket.close();
    throw new Error('refresh_invalid');
  };
  socket.open();
  await vi.advanceTimersByTimeAsync(60_000);
  expect(socket.state.value).toBe('off');
  expect(FakeSocket.all).toHaveLength(0);
});

test('closed and opened again while the token is fetched, it connects once', async () => {
  socket.open();
  socket.close();
  socket.open();
  await vi.advanceTimersByTimeAsync(0);
  expect(FakeSocket.all).toHaveLength(1);
});

test('one wish to come back is left, however many reasons there were', async () => {
  await opened();
  const first = newest();
  await vi.advanceTimersByTimeAsync(25_000);
  expect(socket.state.value).not.toBe('open');
  first.onclose?.({ code: 1006 });
  await vi.advanceTimersByTimeAsync(1_000);
  expect(FakeSocket.all).toHaveLength(2);
  newest().onclose?.({ code: 1006 });
  newest().onclose?.({ code: 1006 });
  await vi.advanceTimersByTimeAsync(1_100);
  expect(FakeSocket.all).toHaveLength(3);
});
