/**
 * Sequences of one room: what came, what is missing, and what this person did that the server has not confirmed.
 * Pure; the shell sends what `need` asks for.
 *
 * Invariants: `base` is what the server said, in its order, without a gap. The screen shows `view`: the base with the
 * person's own unconfirmed actions laid over it, the latest about each thing only. An action leaves when the server has
 * answered and the base agrees with it, when it was refused, or when its time is over, so the server always has the last
 * word.
 */
import type { RoomChange, RoomSnapshot } from '../api/types';
import { reduce } from './room-reducer';

/** An action shown before the server confirmed it. */
export interface Overlay {
  id: number;
  /** What it is about: a later action about the same takes its place. */
  about: string;
  change: RoomChange;
  /** The base shows what was wanted. */
  agreed(base: RoomSnapshot): boolean;
  /** Before the answer, a base that agrees may still be about to change. */
  answered: boolean;
  until_ms: number;
}

export interface RoomSync {
  me: string;
  base: RoomSnapshot;
  overlays: Overlay[];
  /** A gap was seen: everything from `base.seq + 1` was asked for and has not come. */
  healing: boolean;
}

export function start(me: string, base: RoomSnapshot): RoomSync {
  return { me, base, overlays: [], healing: false };
}

/** Joined anew: the room as it was a moment ago, and what this person did that it may not show yet. */
export function rejoin(sync: RoomSync, base: RoomSnapshot): RoomSync {
  return settled({ ...sync, base, healing: false });
}

/** A whole room: older than what is known, it changes nothing. */
export function snapshot(sync: RoomSync, room: RoomSnapshot): RoomSync {
  if (room.seq < sync.base.seq && !sync.healing) return sync;
  return settled({ ...sync, base: room, healing: false });
}

/** One change. `need` is the sequence to ask from when something is missing before it. */
export function delta(sync: RoomSync, seq: number, change: RoomChange): { sync: RoomSync; need?: number } {
  const { base } = sync;
  if (seq <= base.seq) return { sync };
  if (seq > base.seq + 1) {
    // Asked once; while the answer is on its way, later changes wait with it.
    return sync.healing ? { sync } : { sync: { ...sync, healing: true }, need: base.seq };
  }
  const moved = { ...reduce(base, change, sync.me), seq };
  return { sync: settled({ ...sync, base: moved, healing: false }) };
}

export function overlay(sync: RoomSync, added: Overlay): RoomSync {
  return { ...sync, overlays: [...sync.overlays.filter((other) => other.about !== added.about), added] };
}

/** The server carried it out: its change has come, or will before `until_ms`. */
export function answer(sync: RoomSync, id: number, until_ms: number): RoomSync {
  const answered = (other: Overlay) => ({ ...other, answered: true, until_ms: Math.min(other.until_ms, until_ms) });
  return settled({ ...sync, overlays: sync.overlays.map((other) => (other.id === id ? answered(other) : other)) });
}

/** The server refused it. */
export function refuse(sync: RoomSync, id: number): RoomSync {
  return { ...sync, overlays: sync.overlays.filter((other) => other.id !== id) };
}

export function expire(sync: RoomSync, now_ms: number): RoomSync {
  const overlays = sync.overlays.filter((other) => other.until_ms > now_ms);
  return overlays.length === sync.overlays.length ? sync : { ...sync, overlays };
}

export function view(sync: RoomSync): RoomSnapshot {
  return sync.overlays.reduce((room, { change }) => reduce(room, change, sync.me), sync.base);
}

function settled(sync: RoomSync): RoomSync {
  const overlays = sync.overlays.filter((other) => !(other.answered && other.agreed(sync.base)));
  return overlays.length === sync.overlays.length ? sync : { ...sync, overlays };
}
