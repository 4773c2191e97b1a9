// What a page hears, asked from outside. A tone counts as heard where its spectrum peak is within a few hertz.

import { until } from './wait.mjs';

const TOLERANCE_HZ = 12; // two FFT bins
const STEADY_POLLS = 6; // 300 ms: longer than one FFT window, so that nothing older is in it
/** Generous: a session begins anew by back-offs of seconds, and a busy machine must not fail a test. */
const LISTEN_MS = 60_000;

const near = (a, b) => Math.abs(a - b) <= TOLERANCE_HZ;
const has = (tones, hz) => tones.some(tone => near(tone, hz));
const matches = (tones, expected) =>
  expected.every(hz => has(tones, hz)) && tones.every(tone => expected.some(hz => near(tone, hz)));

/** Polls of the page's ear since a time: `[[epoch ms, [Hz, ...]], ...]`. */
export const heard = (page, since = 0) => page.evaluate(t => window.mitalkTest.heard(t), since);

/** Waits until the page hears exactly these tones, and nothing else, steadily. `[]` is silence. */
export async function hears(page, expected, who = 'the page', withinMs = LISTEN_MS) {
  const since = Date.now();
  let last = [];
  await until(
    async () => {
      last = (await heard(page, since)).slice(-STEADY_POLLS);
      return last.length === STEADY_POLLS && last.every(([, tones]) => matches(tones, expected));
    },
    { what: () => `${who} to hear [${expected}] Hz, heard ${JSON.stringify(last.map(([, t]) => t))}`, withinMs },
  );
}

/** The longest time, in ms, without a tone between two moments. */
export async function longestGap(page, hz, from, to = Date.now()) {
  const polls = (await heard(page, from)).filter(([at]) => at <= to);
  let [last, longest] = [from, 0];
  for (const [at, tones] of polls) {
    if (!has(tones, hz)) continue;
    longest = Math.max(longest, at - last);
    last = at;
  }
  return Math.max(longest, to - last);
}

/**
 * The longest time at which a tone was heard since a moment, as polls: `[[ms after it, [Hz, ...]], ...]`. Empty if that is
 * not longer than a window: a tone of somebody else that comes, goes or stutters on a busy machine has an edge, and an edge
 * is of all frequencies for as long as a window. Where all `voices` are known, polls with a tone of nobody's are such
 * edges, and two others in a row are heard.
 */
export async function whenHeard(page, hz, since, voices) {
  const isEdge = tones => voices !== undefined && tones.some(tone => !has(voices, tone));
  let [run, longest] = [[], []];
  for (const [at, tones] of await heard(page, since)) {
    run = has(tones, hz) && !isEdge(tones) ? [...run, [at - since, tones]] : [];
    if (run.length > longest.length) longest = run;
  }
  return longest.length >= (voices ? 2 : STEADY_POLLS) ? longest : [];
}

/** Sets the microphone: its tone, or whether the person denies it. Holds for the next time it is opened. */
export const setMicrophone = (page, settings) =>
  page.evaluate(s => Object.assign(window.mitalkTest.microphone, s), settings);
