/** The microphone over a browser that asks its question for as long as the test wants. */
import { beforeEach, expect, test, vi } from 'vitest';
import { MicrophoneError } from '../../src/media/microphone';
import { ME, member } from './fixtures';

class FakeStream {
  active = true;
  track = { enabled: true, onended: null as (() => void) | null, stop: () => this.end() };
  getAudioTracks = () => [this.track];
  getTracks = () => [this.track];
  end() {
    this.active = false;
  }
}

const asked: { device: string | undefined; allow(): FakeStream; refuse(): void }[] = [];
vi.mock('../../src/media/meter', () => ({
  Meter: class {
    level = () => 0.5;
    close() {}
  },
}));
vi.mock('../../src/state/settings', async () => {
  const { signal } = await import('@preact/signals');
  return { settings: signal({ microphone: '' }) };
});
vi.mock('../../src/media/microphone', async (original) => ({
  ...(await original<object>()),
  openMicrophone: (device: string | undefined) =>
    new Promise((resolve, reject) =>
      asked.push({
        device,
        allow: () => {
          const stream = new FakeStream();
          resolve(stream);
          return stream;
        },
        refuse: () => reject(new MicrophoneError('denied')),
      }),
    ),
}));
const { microphone } = await import('../../src/state/voice');
const { settings } = await import('../../src/state/settings');

const speaking = { ...member(ME), muted: false };
const media = () => {
  const sent: unknown[] = [];
  return { sent, speak: async (track: unknown) => void sent.push(track) };
};
const follow = (who: typeof speaking | undefined, session: ReturnType<typeof media>) =>
  microphone.follow(who, session as never);

beforeEach(async () => {
  await microphone.follow(undefined, undefined);
  asked.length = 0;
  settings.value = { ...settings.value, microphone: '' };
});

test('all who want it at once share one question', async () => {
  const both = [microphone.open(), microphone.open()];
  expect(asked).toHaveLength(1);
  asked[0]?.allow();
  expect(await Promise.all(both)).toEqual(['open', 'open']);
  expect(await microphone.open()).toBe('open');
  expect(asked).toHaveLength(1);
});

test('what comes after the stage was left is stopped, and nobody speaks with it', async () => {
  const opened = microphone.open();
  const session = media();
  await follow(undefined, session);
  const stream = asked[0]?.allow();
  expect(await opened).toBe('void');
  expect(stream?.active).toBe(false);
  expect(microphone.opening.value).toBe(false);
  expect(microphone.level()).toBe(0);
});

test('the next stage asks for itself, whatever becomes of the question before', async () => {
  const before = microphone.open();
  await microphone.follow(undefined, undefined);
  const now = microphone.open();
  expect(asked).toHaveLength(2);
  asked[0]?.refuse();
  expect(await before).toBe('void');
  expect(microphone.error.value).toBeNull();
  expect(microphone.opening.value).toBe(true);
  const stream = asked[1]?.allow();
  expect(await now).toBe('open');
  expect(stream?.active).toBe(true);
});

test('an open one is silent until the room says that it may be heard', async () => {
  const opened = microphone.open();
  const stream = asked[0]?.allow();
  await opened;
  expect(stream?.track.enabled).toBe(false);
  const session = media();
  await follow(speaking, session);
  expect(stream?.track.enabled).toBe(true);
  expect(session.sent).toEqual([stream?.track]);
});

test('another one that is chosen takes the place of the open one; a refused one does not', async () => {
  const opened = microphone.open();
  const first = asked[0]?.allow();
  await opened;
  settings.value = { ...settings.value, microphone: 'headset' };
  const refused = microphone.reopen();
  await Promise.resolve();
  expect(asked[1]?.device).toBe('headset');
  asked[1]?.refuse();
  expect(await refused).toBe('refused');
  expect(first?.active).toBe(true);
  const reopened = microphone.reopen();
  await Promise.resolve();
  const second = asked[2]?.allow();
  expect(await reopened).toBe('open');
  expect(first?.active).toBe(false);
  const session = media();
  await follow(speaking, session);
  expect(session.sent).toEqual([second?.track]);
});

test('nothing is opened for a choice while none is open', async () => {
  expect(await microphone.reopen()).toBe('void');
  expect(asked).toHaveLength(0);
});
