import { expect, test } from 'vitest';
import { mainAction, moderation } from '../../src/state/rights';
import { ME, member, room } from './fixtures';

const stage = [member(ME, 'moderator'), member('other', 'moderator'), member('ann')];
const mine = room({ my_role: 'moderator', stage });

test('only moderators moderate, and nobody themselves', () => {
  expect(moderation(room({ stage }), ME, 'ann', false)).toEqual([]);
  expect(moderation(mine, ME, ME, false)).toEqual([]);
});

test('a speaker can be muted once, moved back, promoted, removed', () => {
  const all = ['mute', 'move_back', 'make_moderator', 'remove', 'ban'];
  expect(moderation(mine, ME, 'ann', false)).toEqual(all);
  const quiet = room({ my_role: 'moderator', stage: [{ ...member('ann'), muted: true }] });
  expect(moderation(quiet, ME, 'ann', false)).toEqual(all.slice(1));
});

test('moderators may do to each other what they do to speakers, save promoting', () => {
  expect(moderation(mine, ME, 'other', false)).toEqual(['mute', 'move_back', 'remove', 'ban']);
});

test('a listener is invited, or has the invitation taken back', () => {
  expect(moderation(mine, ME, 'bob', false)[0]).toBe('invite_to_stage');
  expect(moderation(mine, ME, 'bob', true)[0]).toBe('cancel_invitation');
});

test('the one big button', () => {
  expect(mainAction(room({}), ME, false)).toBe('raise');
  expect(mainAction(room({ hand_raising: 'off' }), ME, false)).toBe('hands_off');
  expect(mainAction(room({ my_hand: 1, hand_raising: 'off' }), ME, false)).toBe('lower');
  expect(mainAction(room({ my_hand: 1, invited_to_stage: true }), ME, false)).toBe('invited');
  expect(mainAction(mine, ME, false)).toBe('mute');
  expect(mainAction(room({ stage: [{ ...member(ME), muted: true }] }), ME, false)).toBe('unmute');
});

test('who has accepted is coming until they are on stage, and raises no hand meanwhile', () => {
  expect(mainAction(room({}), ME, true)).toBe('coming');
  expect(mainAction(room({ hand_raising: 'off' }), ME, true)).toBe('coming');
  expect(mainAction(room({ stage: [{ ...member(ME), muted: true }] }), ME, true)).toBe('unmute');
});
