import { describe, expect, test } from 'vitest';
import { hushed, reduce } from '../../src/state/room-reducer';
import { hand, ME, member, person, room } from './fixtures';

describe('stage', () => {
  test('somebody new comes after those of the same role', () => {
    const before = room({ stage: [member('mod', 'moderator'), member('ann')] });
    const after = reduce(before, { change: 'stage', member: member('bob') }, ME);
    expect(after.stage.map((m) => m.person.id)).toEqual(['mod', 'ann', 'bob']);
  });

  test('a change replaces the member and keeps the place', () => {
    const before = room({ stage: [member('mod', 'moderator'), member('ann'), member('bob')] });
    const after = reduce(before, { change: 'stage', member: { ...member('ann'), muted: true } }, ME);
    expect(after.stage.map((m) => [m.person.id, m.muted])).toEqual([
      ['mod', false],
      ['ann', true],
      ['bob', false],
    ]);
  });

  test('a new moderator moves up behind the others', () => {
    const before = room({ stage: [member('mod', 'moderator'), member('ann'), member('bob')] });
    const after = reduce(before, { change: 'stage', member: member('bob', 'moderator') }, ME);
    expect(after.stage.map((m) => m.person.id)).toEqual(['mod', 'bob', 'ann']);
  });

  test('coming on stage takes the own hand and invitation away', () => {
    const before = room({ my_hand: 2, invited_to_stage: true, hands: [hand(ME)], hand_count: 2 });
    const after = reduce(before, { change: 'stage', member: member(ME) }, ME);
    expect(after).toMatchObject({ my_role: 'speaker', my_hand: null, invited_to_stage: false, hands: [] });
  });

  test('leaving it makes a listener of oneself only', () => {
    const before = room({ my_role: 'speaker', stage: [member(ME), member('ann')] });
    expect(reduce(before, { change: 'unstaged', person: person('ann') }, ME).my_role).toBe('speaker');
    expect(reduce(before, { change: 'unstaged', person: person(ME) }, ME)).toMatchObject({ my_role: 'listener' });
  });
});

describe('hands', () => {
  test('the own hand is there once, at the place that the server says', () => {
    const up = { change: 'hand_up', hand: hand(ME), hand_count: 3, my_hand: 3 } as const;
    const once = reduce(room({ hand_count: 2 }), up, ME);
    expect(once.my_hand).toBe(3);
    const twice = reduce(once, { ...up, hand_count: 4, my_hand: 2 }, ME);
    expect(twice).toMatchObject({ my_hand: 2, hand_count: 4 });
    expect(twice.hands).toHaveLength(1);
  });

  test("others' hands are a number for listeners", () => {
    const after = reduce(room({}), { change: 'hand_up', hand_count: 7 }, ME);
    expect(after).toMatchObject({ hand_count: 7, hands: [] });
  });

  test('the own place moves up as others go, until it is the own hand that goes', () => {
    const before = room({ my_hand: 3, hand_count: 3, hands: [hand(ME)] });
    expect(reduce(before, { change: 'hand_down', hand_count: 2, my_hand: 2 }, ME).my_hand).toBe(2);
    expect(reduce(before, { change: 'hand_down', person: person(ME), hand_count: 2 }, ME).my_hand).toBeUndefined();
  });
});

test('settings, audience and the end', () => {
  const settings = { title: 'New', topics: ['a'], visibility: 'closed' as const, hand_raising: 'off' as const };
  const changed = reduce(room({}), { change: 'settings' as const, ...settings }, ME);
  expect(changed).toMatchObject(settings);
  expect(changed).not.toHaveProperty('change');
  const closed = reduce(changed, { change: 'settings', ...settings, link_key: 'key' }, ME);
  expect(closed.link_key).toBe('key');
  expect(reduce(closed, { change: 'settings', ...settings, visibility: 'open' }, ME).link_key).toBeNull();
  expect(reduce(changed, { change: 'audience', audience_count: 9 }, ME).audience_count).toBe(9);
  expect(reduce(changed, { change: 'ended' }, ME).ended).toBe(true);
  expect(reduce(changed, { change: 'nothing' }, ME)).toBe(changed);
});

test('who comes anew is muted, and nobody else', () => {
  const before = room({ stage: [member(ME), member('ann')] });
  expect(hushed(before, ME).stage.map((m) => m.muted)).toEqual([true, false]);
  expect(hushed(hushed(before, ME), ME)).toEqual(hushed(before, ME));
  expect(hushed(before, 'bob')).toBe(before);
});
