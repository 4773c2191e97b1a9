/**
 * The tokens of this device. A refresh token works once, and using an old one again signs the device out; so there is
 * one refresh at a time, in this tab by a shared promise and across tabs by a lock on the stored tokens.
 *
 * What is lacking on purpose: hiding the tokens from scripts. There are no foreign scripts (CSP), and a cookie would
 * bring cross-site requests with it.
 */
import { ApiError, networkError, problemOf } from './problem';
import { DEADLINE_MS } from './retry';
import type { Tokens } from './types';

const KEY = 'mitalk.tokens';
const LOCK = 'mitalk.refresh';
/** Refreshed so long before the end, so that no request is sent with a token that ends on the way. */
const EARLY_MS = 30_000;

interface Stored {
  access: string;
  refresh: string;
  /** By this device's clock, which is never compared with the server's. */
  until_ms: number;
}

/** Somebody to tell that this device is signed out, by whichever tab, or was signed in by another one. */
type Listener = (signedIn: boolean) => void;

let running: Promise<string> | undefined;
const listeners = new Set<Listener>();

export function onTokens(listener: Listener): void {
  listeners.add(listener);
}

// Told only of what other tabs did; `null` is the whole storage.
addEventListener('storage', (event) => {
  const { key } = event as StorageEvent;
  if (key === KEY || key === null) tell();
});

function tell(): void {
  for (const listener of listeners) listener(signedIn());
}

export function signedIn(): boolean {
  return read() !== null;
}

export function store(tokens: Tokens): void {
  const stored: Stored = {
    access: tokens.access_token,
    refresh: tokens.refresh_token,
    until_ms: Date.now() + tokens.access_expires_in_s * 1000,
  };
  localStorage.setItem(KEY, JSON.stringify(stored));
}

export function forget(): void {
  localStorage.removeItem(KEY);
  tell();
}

/** A token that is good for a while yet. Throws the refresh's `ApiError`. */
export async function accessToken(): Promise<string> {
  const stored = read();
  if (stored && stored.until_ms - EARLY_MS > Date.now()) return stored.access;
  return refresh(stored?.access);
}

/** A token other than `rejected`, which the server no longer takes. */
export function refresh(rejected: string | undefined): Promise<string> {
  running ??= withLock(() => rotate(rejected)).finally(() => {
    running = undefined;
  });
  return running;
}

/** Milliseconds until a new access token is needed. */
export function refreshInMs(): number {
  const stored = read();
  return stored ? Math.max(0, stored.until_ms - EARLY_MS - Date.now()) : 0;
}

async function rotate(rejected: string | undefined): Promise<string> {
  const stored = read();
  if (!stored) {
    // Another tab signed out, or the browser cleared its storage, and nobody here has heard of it.
    forget();
    throw new ApiError({ type: 'about:blank', title: '', status: 401, code: 'token_missing' });
  }
  // Another tab was here first.
  if (stored.access !== rejected && stored.until_ms - EARLY_MS > Date.now()) return stored.access;
  const response = await fetch('/v1/auth/refresh', {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ refresh_token: stored.refresh }),
    // Every tab waits behind this lock.
    signal: AbortSignal.timeout(DEADLINE_MS),
  }).catch(lost);
  if (response.ok) {
    const tokens = (await response.json().catch(lost)) as Tokens;
    store(tokens);
    return tokens.access_token;
  }
  const error = await problemOf(response);
  if (response.status === 401) forget();
  throw error;
}

function lost(): never {
  throw networkError();
}

function read(): Stored | null {
  const text = localStorage.getItem(KEY);
  return text ? (JSON.parse(text) as Stored) : null;
}

function withLock<T>(run: () => Promise<T>): Promise<T> {
  // Without a secure context there are no locks; one tab alone is still right.
  return navigator.locks ? (navigator.locks.request(LOCK, run) as Promise<T>) : run();
}
