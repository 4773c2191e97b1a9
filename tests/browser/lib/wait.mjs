// Waits on conditions. Nothing in these tests sleeps for a fixed time and hopes.

const POLL_MS = 50;
/** Generous: a busy machine must not fail a test. */
export const PATIENCE_MS = 30_000;

const pause = ms => new Promise(resolve => setTimeout(resolve, ms));

/** Asks again and again until the answer is truthy, and returns it. `what` may be a function, asked on failure. */
export async function until(condition, { what, withinMs = PATIENCE_MS }) {
  const end = Date.now() + withinMs;
  for (;;) {
    const answer = await condition();
    if (answer) return answer;
    if (Date.now() > end) {
      throw new Error(`waited ${withinMs} ms for ${typeof what === 'function' ? what() : what}`);
    }
    await pause(POLL_MS);
  }
}

/** Lets real time go by where time itself is what is tested (a network that is gone for 5 s). */
export const elapse = pause;
