/**
 * Who speaks, and how loud: read from the contributing sources of the slots, not from signalling. Pure.
 *
 * The server puts the speaker's stage number into each packet's CSRC; the level is the packet's own level extension.
 * A former speaker of a slot stays in the browser's list for 10 s, so only the newest source of each slot counts, and
 * only while it is fresh. Timestamps are milliseconds since 1970 in Chromium and Safari, and on the page's clock in
 * Firefox: whichever is near says which.
 */

/** After so long without a packet nobody speaks on that slot. */
export const FRESH_MS = 300;
/** Below this many decibels a level is room noise and the ring stays still. */
const FLOOR_DB = -55;
const TOP_DB = -15;
/** A source that has no level (no extension was negotiated) speaks at this. */
const UNKNOWN_LEVEL = 0.5;

export interface Source {
  source: number;
  timestamp: number;
  audioLevel?: number | null;
}

/** Stage number to a loudness between 0 and 1, for those who speak now. */
export function speaking(
  slots: readonly (readonly Source[])[],
  epoch_ms: number,
  page_ms: number,
): Map<number, number> {
  const levels = new Map<number, number>();
  for (const sources of slots) {
    const newest = sources.reduce<Source | undefined>((a, b) => (!a || b.timestamp > a.timestamp ? b : a), undefined);
    if (!newest) continue;
    const age = Math.min(Math.abs(epoch_ms - newest.timestamp), Math.abs(page_ms - newest.timestamp));
    if (age > FRESH_MS) continue;
    const loudness = newest.audioLevel == null ? UNKNOWN_LEVEL : loudnessOf(newest.audioLevel);
    if (loudness > 0) levels.set(newest.source, Math.max(loudness, levels.get(newest.source) ?? 0));
  }
  return levels;
}

/** Linear amplitude (0 to 1) to what an eye takes for loudness (0 to 1). */
export function loudnessOf(amplitude: number): number {
  if (amplitude <= 0) return 0;
  const db = 20 * Math.log10(amplitude);
  return Math.min(1, Math.max(0, (db - FLOOR_DB) / (TOP_DB - FLOOR_DB)));
}
