/**
 * One request to the API: bearer token, JSON, problem documents, a deadline and retries. Everything that talks HTTP
 * to the server goes through here, except the refresh itself.
 */
import { heard } from './clock';
import { ApiError, networkError, problemOf } from './problem';
import { DEADLINE_MS, retryAfterMs } from './retry';
import { accessToken, refresh } from './tokens';

export interface Call {
  body?: unknown;
  /** Needs no token. */
  open?: boolean;
  /** Sent as `Idempotency-Key`: all tries of one intention share it. */
  key?: string;
  /** The key of a shared link, sent as `Link-Key`: addresses are written into logs. */
  linkKey?: string;
  /** The answer is a file, as long as it takes. */
  file?: boolean;
  /** A repeat changes nothing: reads and `PUT`/`DELETE` always, a `POST` when it says so or has a key. */
  repeatable?: boolean;
}

/** The answer's JSON, or a file; `undefined` for 204. Throws `ApiError`. */
export async function call<Answer>(method: string, path: string, options: Call = {}): Promise<Answer> {
  const repeatable = options.repeatable ?? (method !== 'POST' || options.key !== undefined);
  for (let tries = 1; ; tries++) {
    try {
      return await authorised<Answer>(method, path, options);
    } catch (thrown) {
      const error = thrown instanceof ApiError ? thrown : networkError();
      const wait = repeatable ? retryAfterMs(error, tries, Math.random()) : undefined;
      if (wait === undefined) throw error;
      await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }
}

/** With a token that the server takes: once more with a new one when it says that this one is over. */
async function authorised<Answer>(method: string, path: string, options: Call): Promise<Answer> {
  if (options.open) return send<Answer>(method, path, options);
  const token = await accessToken();
  try {
    return await send<Answer>(method, path, options, token);
  } catch (error) {
    // Not what else is unauthorised: a wrong code is no reason to try it once more.
    if (!(error instanceof ApiError) || !error.code.startsWith('token_')) throw error;
    return send<Answer>(method, path, options, await refresh(token));
  }
}

async function send<Answer>(method: string, path: string, options: Call, token?: string): Promise<Answer> {
  const headers: Record<string, string> = { 'accept-language': document.documentElement.lang };
  if (token) headers.authorization = `Bearer ${token}`;
  if (options.key) headers['idempotency-key'] = options.key;
  if (options.linkKey) headers['link-key'] = options.linkKey;
  if (options.body !== undefined) headers['content-type'] = 'application/json';
  const response = await fetch(path, {
    method,
    headers,
    body: options.body === undefined ? undefined : JSON.stringify(options.body),
    signal: options.file ? undefined : AbortSignal.timeout(DEADLINE_MS),
  }).catch(() => {
    throw networkError();
  });
  heard(response);
  if (!response.ok) throw await problemOf(response);
  if (response.status === 204 || (response.status === 202 && response.headers.get('content-length') === '0'))
    return undefined as Answer;
  return (await (options.file ? response.blob() : response.json())) as Answer;
}

/**
 * The keys of one form: all tries of the same content share one, so that a retry after a lost answer changes nothing; other
 * content is another intention. To be forgotten when it has worked.
 */
export class Intention {
  #content = '';
  #key = '';

  keyOf(content: unknown): string {
    const text = JSON.stringify(content);
    if (text !== this.#content) {
      this.#content = text;
      this.#key = newKey();
    }
    return this.#key;
  }

  done(): void {
    this.#content = '';
  }
}

function newKey(): string {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, '0')).join('');
}
