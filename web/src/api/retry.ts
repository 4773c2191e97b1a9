/**
 * When the same request is sent again, and after how long. Pure: the clock and the dice are arguments.
 *
 * Only requests that a repeat cannot change are retried: reads, commands that are idempotent by state, and those with
 * an `Idempotency-Key`. Overload is answered with the wait that the server asks for, plus jitter, so that a thousand
 * clients do not come back together.
 */
import { type ApiError, NETWORK } from './problem';

/** A request that has no answer by then has none. */
export const DEADLINE_MS = 15_000;
export const MAX_TRIES = 4;
const FIRST_WAIT_MS = 300;
const MAX_WAIT_MS = 8_000;
const RETRIED_STATUS = new Set([429, 502, 503, 504]);

/** Milliseconds until the next try, or `undefined` when the error is final. */
export function retryAfterMs(error: ApiError, tries: number, random: number): number | undefined {
  if (tries >= MAX_TRIES) return undefined;
  if (error.code !== NETWORK && !RETRIED_STATUS.has(error.problem.status)) return undefined;
  const asked = (error.problem.retry_after ?? 0) * 1000;
  // Somebody is looking at the screen: a longer wait is theirs to decide.
  if (asked > MAX_WAIT_MS) return undefined;
  return Math.max(asked, backoffMs(tries, random));
}

/** Exponential, between half and the whole of the step. */
export function backoffMs(tries: number, random: number, first = FIRST_WAIT_MS, most = MAX_WAIT_MS): number {
  const step = Math.min(first * 2 ** Math.max(0, tries - 1), most);
  return Math.round(step * (0.5 + random / 2));
}
