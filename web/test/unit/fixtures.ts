import type { Hand, PersonBrief, Role, RoomSnapshot, StageMember } from '../../src/api/types';

export const ME = 'me';

export const person = (id: string): PersonBrief => ({ id, name: `Name of ${id}` });
export const hand = (id: string): Hand => ({ person: person(id), raised_at_ms: 1 });

let numbers = 0;
export function member(id: string, role: Role = 'speaker'): StageMember {
  return { person: person(id), role, number: ++numbers, muted: false, away: false };
}

export function room(parts: Partial<RoomSnapshot>): RoomSnapshot {
  return {
    id: 'room',
    seq: 10,
    title: 'Title',
    topics: [],
    visibility: 'open',
    hand_raising: 'everyone',
    stage: [],
    hands: [],
    hand_count: 0,
    invited_to_stage: false,
    my_role: 'listener',
    audience_count: 1,
    started_at_ms: 1,
    ended: false,
    ...parts,
  };
}

/** A seeded generator, so that a failing property can be run again. */
export function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
