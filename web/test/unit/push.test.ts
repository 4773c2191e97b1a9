import { describe, expect, test } from 'vitest';
import { type Push, pushText, readPush } from '../../src/push-text';
import { clockOf, minuteOf } from '../../src/state/clock-text';
import { keyOf } from '../../src/state/push-here';

const push = (part: Partial<Push>): Push => ({
  tag: 'user/a/1',
  kind: 'pinged',
  count: 1,
  who: 'Ann',
  title: 'Bridges',
  path: '/r/x',
  language: 'en',
  at_ms: 1,
  ...part,
});

describe('what a push says', () => {
  test('one notice in one sentence, and how many more', () => {
    expect(pushText(push({}))).toEqual({ title: 'Ann asks you into “Bridges”.', body: '' });
    expect(pushText(push({ count: 3 })).body).toBe('And 2 more');
  });

  test('in the language of the device, else in English', () => {
    expect(pushText(push({ kind: 'new_follower', language: 'zh-Hans' })).title).toBe('Ann 关注了你。');
    expect(pushText(push({ kind: 'new_follower', language: 'it' })).title).toBe('Ann follows you.');
  });

  test('every kind has words, also where nobody is named, and so has what is not known yet', () => {
    const kinds = ['admitted', 'invite_accepted', 'stage_invitation', 'pinged', 'room_started', 'new_follower'];
    const texts = [...kinds, 'event_soon'].map(
      (kind) => pushText(push({ kind, who: undefined, title: undefined })).title,
    );
    expect(new Set(texts).size).toBe(kinds.length + 1);
    expect(texts.join()).not.toContain('undefined');
  });

  test('what is no push of ours is none', () => {
    expect(readPush(JSON.stringify(push({})))?.tag).toBe('user/a/1');
    for (const text of ['', 'null', '{}', '[]', JSON.stringify(push({ path: 'https://evil.example' }))])
      expect(readPush(text)).toBeUndefined();
  });
});

describe('quiet hours', () => {
  test('minutes are times of a day and back', () => {
    for (const minute of [0, 7 * 60, 22 * 60 + 5, 1439]) expect(minuteOf(clockOf(minute))).toBe(minute);
    expect(clockOf(65)).toBe('01:05');
    expect(minuteOf('')).toBeUndefined();
  });
});

test('keys are compared as the server writes them', () => {
  expect(keyOf(new Uint8Array([251, 255, 190, 0]).buffer)).toBe('-_--AA');
  expect(keyOf(null)).toBe('');
});
