/** The wake lock over a browser that answers when the test lets it. */
import { beforeEach, expect, test, vi } from 'vitest';

interface Lock {
  released: boolean;
  release(): Promise<void>;
}
const locks: Lock[] = [];
let answer: (() => void) | undefined;
let refusing = false;
vi.stubGlobal('document', { addEventListener: () => undefined });
vi.stubGlobal('navigator', {
  wakeLock: {
    request: () =>
      new Promise<Lock>((resolve, reject) => {
        answer = () => {
          if (refusing) return reject(new Error('NotAllowedError'));
          const lock = {
            released: false,
            release: async () => {
              lock.released = true;
            },
          };
          locks.push(lock);
          resolve(lock);
        };
      }),
  },
});
const { keepAwake } = await import('../../src/media/lock-screen');
const held = () => locks.filter((lock) => !lock.released).length;
const settle = async () => {
  for (let turns = 0; turns < 10; turns++) await Promise.resolve();
};

beforeEach(async () => {
  refusing = false;
  void keepAwake(false);
  await settle();
  locks.length = 0;
  answer = undefined;
});

test('asked for twice at once, there is one lock, and it goes', async () => {
  void keepAwake(true);
  void keepAwake(true);
  answer?.();
  await settle();
  expect(locks).toHaveLength(1);
  void keepAwake(false);
  await settle();
  expect(held()).toBe(0);
});

test('a lock that comes when nobody wants it any more is released', async () => {
  void keepAwake(true);
  void keepAwake(false);
  answer?.();
  await settle();
  expect(locks).toHaveLength(1);
  expect(held()).toBe(0);
});

test('a refused lock is asked for again when something changes', async () => {
  refusing = true;
  void keepAwake(true);
  answer?.();
  await settle();
  expect(held()).toBe(0);
  refusing = false;
  void keepAwake(true);
  answer?.();
  await settle();
  expect(held()).toBe(1);
});
