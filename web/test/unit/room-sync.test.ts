import { describe, expect, test } from 'vitest';
import type { RoomChange } from '../../src/api/types';
import { memberOf, reduce } from '../../src/state/room-reducer';
import { answer, delta, expire, overlay, refuse, rejoin, snapshot, start, view } from '../../src/state/room-sync';
import { hand, ME, member, random, room } from './fixtures';

const audience = (audience_count: number): RoomChange => ({ change: 'audience', audience_count });

describe('sequences', () => {
  test('the next one moves the room on, an old one changes nothing', () => {
    const { sync, need } = delta(start(ME, room({})), 11, audience(5));
    expect(need).toBeUndefined();
    expect(sync.base).toMatchObject({ seq: 11, audience_count: 5 });
    expect(delta(sync, 11, audience(9)).sync.base.audience_count).toBe(5);
  });

  test('a gap is asked for once, from the last one known, and healed by what was missing', () => {
    const gap = delta(start(ME, room({})), 13, audience(13));
    expect(gap.need).toBe(10);
    expect(delta(gap.sync, 14, audience(14)).need).toBeUndefined();
    let sync = gap.sync;
    for (const seq of [11, 12, 13, 14]) sync = delta(sync, seq, audience(seq)).sync;
    expect(sync).toMatchObject({ healing: false, base: { seq: 14, audience_count: 14 } });
  });

  test('a gap too long to heal is healed by a snapshot', () => {
    const gap = delta(start(ME, room({})), 99, audience(99));
    expect(snapshot(gap.sync, room({ seq: 98 }))).toMatchObject({ healing: false, base: { seq: 98 } });
  });

  test('a snapshot that is older than what is known changes nothing', () => {
    const { sync } = delta(start(ME, room({})), 11, audience(5));
    expect(snapshot(sync, room({ seq: 10 }))).toBe(sync);
  });

  test('whatever is lost, repeated or late, healing ends in the state of the server', () => {
    for (let seed = 1; seed <= 200; seed++) {
      const roll = random(seed);
      const log = Array.from({ length: 60 }, (_, index) => audience(Math.floor(roll() * 1000) + index));
      const truth = log.reduce((base, change) => reduce(base, change, ME), room({}));
      let sync = start(ME, room({ seq: 0 }));
      const deliver = (seq: number): void => {
        const change = log[seq - 1];
        if (!change) return;
        const result = delta(sync, seq, change);
        sync = result.sync;
        if (result.need === undefined) return;
        for (let missing = result.need + 1; missing <= seq; missing++) deliver(missing);
      };
      for (let seq = 1; seq <= log.length; seq++) if (roll() < 0.7) deliver(roll() < 0.2 ? Math.max(1, seq - 3) : seq);
      deliver(log.length);
      expect(sync.base, `seed ${seed}`).toEqual({ ...truth, seq: log.length });
    }
  });
});

describe('what one did oneself', () => {
  const mine = member(ME);
  const muted: RoomChange = { change: 'stage', member: { ...mine, muted: true } };
  const base = room({ my_role: 'speaker', stage: [mine] });
  const mute = {
    id: 1,
    about: 'mute',
    change: muted,
    answered: false,
    until_ms: 1000,
    agreed: (r: typeof base) => memberOf(r, ME)?.muted === true,
  };

  test('shows at once and stays while the server has not said anything', () => {
    const sync = overlay(start(ME, base), mute);
    expect(memberOf(view(sync), ME)?.muted).toBe(true);
    expect(memberOf(sync.base, ME)?.muted).toBe(false);
    const moved = delta(sync, 11, audience(3)).sync;
    expect(memberOf(view(moved), ME)?.muted).toBe(true);
  });

  test('gives way when the server agrees, so that a later change of the server shows', () => {
    const told = delta(overlay(start(ME, base), mute), 11, muted).sync;
    const agreed = answer(told, mute.id, 1000);
    expect(agreed.overlays).toEqual([]);
    const later = delta(agreed, 12, { change: 'stage', member: mine }).sync;
    expect(memberOf(view(later), ME)?.muted).toBe(false);
  });

  test('the latest press stands while the server still carries out the one before', () => {
    const unmute = { ...mute, id: 2, change: { change: 'stage', member: mine } as const, agreed: () => true };
    const pressed = overlay(overlay(start(ME, base), mute), unmute);
    expect(pressed.overlays.map(({ id }) => id)).toEqual([2]);
    const first = delta(pressed, 11, muted).sync;
    expect(memberOf(first.base, ME)?.muted).toBe(true);
    expect(memberOf(view(first), ME)?.muted).toBe(false);
    const second = answer(delta(first, 12, { change: 'stage', member: mine }).sync, 2, 1000);
    expect(second.overlays).toEqual([]);
    expect(memberOf(view(second), ME)?.muted).toBe(false);
  });

  test('outlives a join, which knows nothing of it', () => {
    const lasting = overlay(start(ME, base), { ...mute, until_ms: Number.POSITIVE_INFINITY });
    const again = rejoin(expire(lasting, 1e12), { ...base, seq: 40 });
    expect(again.base.seq).toBe(40);
    expect(memberOf(view(again), ME)?.muted).toBe(true);
    // Answered before a snapshot that is older than the answer.
    const late = rejoin(answer(lasting, mute.id, 2e12), { ...base, seq: 40 });
    expect(memberOf(view(expire(late, 1e12)), ME)?.muted).toBe(true);
    expect(memberOf(view(expire(late, 2e12)), ME)?.muted).toBe(false);
    expect(memberOf(view(answer(delta(again, 41, muted).sync, mute.id, 1e12)), ME)?.muted).toBe(true);
  });

  test('is taken back when it is refused or when its time is over', () => {
    const sync = overlay(start(ME, base), mute);
    expect(memberOf(view(refuse(sync, 1)), ME)?.muted).toBe(false);
    expect(memberOf(view(expire(sync, 999)), ME)?.muted).toBe(true);
    expect(memberOf(view(expire(sync, 1000)), ME)?.muted).toBe(false);
  });

  test('a raised hand shows its place before the server gave it one', () => {
    const raise = {
      id: 2,
      about: 'hand',
      answered: true,
      change: { change: 'hand_up', hand: hand(ME), hand_count: 4, my_hand: 4 } as const,
      until_ms: 1000,
      agreed: (r: typeof base) => Boolean(r.my_hand),
    };
    const sync = overlay(start(ME, room({ hand_count: 3 })), raise);
    expect(view(sync).my_hand).toBe(4);
    const told = delta(sync, 11, { change: 'hand_up', hand: hand(ME), hand_count: 5, my_hand: 5 }).sync;
    expect(view(told)).toMatchObject({ my_hand: 5, hand_count: 5 });
    expect(told.overlays).toEqual([]);
  });
});
