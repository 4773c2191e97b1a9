import { beforeEach, expect, test, vi } from 'vitest';

const stored = new Map<string, string>();
vi.stubGlobal('localStorage', {
  getItem: (key: string) => stored.get(key) ?? null,
  setItem: (key: string, value: string) => stored.set(key, value),
  removeItem: (key: string) => stored.delete(key),
});
/** Runs one request after the other, as the browser's lock across tabs does. */
let last: Promise<unknown> = Promise.resolve();
const request = <T>(_: string, run: () => Promise<T>) => {
  const next = last.then(run, run);
  last = next.catch(() => undefined);
  return next;
};
vi.stubGlobal('navigator', { locks: { request } });
let otherTab: (event: { key: string | null }) => void = () => undefined;
vi.stubGlobal('addEventListener', (_: string, run: typeof otherTab) => {
  otherTab = run;
});
const tokens = await import('../../src/api/tokens');

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
  const heard: boolean[] = [];
  tokens.onTokens((signedIn) => heard.push(signedIn));
  tokens.store(pair(1, 10));
  server.mockRejectedValueOnce(new TypeError('offline'));
  await expect(tokens.accessToken()).rejects.toMatchObject({ code: 'network' });
  expect(tokens.signedIn()).toBe(true);
  server.mockResolvedValueOnce(answer(401, { code: 'refresh_reused', status: 401 }));
  await expect(tokens.accessToken()).rejects.toMatchObject({ code: 'refresh_reused' });
  expect(tokens.signedIn()).toBe(false);
  expect(heard).toEqual([false]);
});

test('a refresh that hangs ends, and lets the next one try', async () => {
  vi.useFakeTimers();
  const timeout = vi.spyOn(AbortSignal, 'timeout').mockImplementation((ms) => {
    const controller = new AbortController();
    setTimeout(() => controller.abort(), ms);
    return controller.signal;
  });
  tokens.store(pair(1, 10));
  server.mockImplementationOnce(
    (_, init) => new Promise((_, reject) => init?.signal?.addEventListener('abort', () => reject(init.signal?.reason))),
  );
  const hanging = tokens.accessToken().catch((error: { code: string }) => error.code);
  await vi.advanceTimersByTimeAsync(20_000);
  expect(await hanging).toBe('network');
  server.mockResolvedValueOnce(answer(200, pair(2)));
  expect(await tokens.accessToken()).toBe('access2');
  timeout.mockRestore();
  vi.useRealTimers();
});

test('what another tab does to the sign-in is told, and so are tokens that are missing', async () => {
  tokens.store(pair(1));
  const heard: boolean[] = [];
  tokens.onTokens((signedIn) => heard.push(signedIn));
  otherTab({ key: 'mitalk.settings' });
  stored.clear();
  otherTab({ key: 'mitalk.tokens' });
  expect(heard).toEqual([false]);
  await expect(tokens.accessToken()).rejects.toMatchObject({ code: 'token_missing' });
  expect(heard).toEqual([false, false]);
  tokens.store(pair(2));
  otherTab({ key: 'mitalk.tokens' });
  expect(heard.at(-1)).toBe(true);
});
