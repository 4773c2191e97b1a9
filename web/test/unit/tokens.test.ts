import { beforeEach, expect, test, vi } from 'vitest';
import * as tokens from '../../src/api/tokens';

const stored = new Map<string, string>();
vi.stubGlobal('localStorage', {
  getItem: (key: string) => stored.get(key) ?? null,
  setItem: (key: string, value: string) => stored.set(key, value),
  removeItem: (key: string) => stored.delete(key),
});
vi.stubGlobal('navigator', {});

const answer = (status: number, body: unknown) =>
  ({ ok: status < 400, status, statusText: '', headers: new Headers(), json: async () => body }) as Response;
const pair = (n: number, access_expires_in_s = 600) => ({
  access_token: `access${n}`,
  refresh_token: `refresh${n}`,
  access_expires_in_s,
});
const server = vi.fn<typeof fetch>();
vi.stubGlobal('fetch', server);

beforeEach(() => {
  stored.clear();
  server.mockReset();
});

test('a good token is used as it is', async () => {
  tokens.store(pair(1));
  expect(await tokens.accessToken()).toBe('access1');
  expect(server).not.toHaveBeenCalled();
});

test('many who need a new one share one refresh, because the old one works once', async () => {
  tokens.store(pair(1, 10));
  server.mockResolvedValueOnce(answer(200, pair(2)));
  const got = await Promise.all([tokens.accessToken(), tokens.accessToken(), tokens.refresh('access1')]);
  expect(got).toEqual(['access2', 'access2', 'access2']);
  expect(server).toHaveBeenCalledTimes(1);
  expect(String(server.mock.calls[0]?.[1]?.body)).toContain('refresh1');
});

test('what another tab fetched meanwhile is taken', async () => {
  tokens.store(pair(1));
  tokens.store(pair(2));
  expect(await tokens.refresh('access1')).toBe('access2');
  expect(server).not.toHaveBeenCalled();
});

test('a refused refresh signs out, a lost one does not', async () => {
  const heard: (string | null)[] = [];
  tokens.onTokens((access) => heard.push(access));
  tokens.store(pair(1, 10));
  server.mockRejectedValueOnce(new TypeError('offline'));
  await expect(tokens.accessToken()).rejects.toMatchObject({ code: 'network' });
  expect(tokens.signedIn()).toBe(true);
  server.mockResolvedValueOnce(answer(401, { code: 'refresh_reused', status: 401 }));
  await expect(tokens.accessToken()).rejects.toMatchObject({ code: 'refresh_reused' });
  expect(tokens.signedIn()).toBe(false);
  expect(heard.at(-1)).toBeNull();
});
