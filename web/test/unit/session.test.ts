/** The session over a fake connection and a fake server, in virtual time: what is asked, in which order, how often. */
import { afterEach, beforeEach, describe, expect, test, vi } from 'vitest';
import { ApiError, networkError } from '../../src/api/problem';
import { room } from './fixtures';

class FakePeer {
  static all: FakePeer[] = [];
  state: RTCPeerConnectionState = 'new';
  closed = false;
  answers: string[] = [];
  rolledBack = 0;
  owner: { state(state: RTCPeerConnectionState): void };

  constructor(owner: FakePeer['owner']) {
    this.owner = owner;
    FakePeer.all.push(this);
  }
  offer = async () => 'offer';
  restartOffer = async () => 'restart';
  speak = async () => undefined;
  async answer(sdp: string) {
    this.answers.push(sdp);
  }
  async rollback() {
    this.rolledBack++;
  }
  contributing = () => [];
  close() {
    this.closed = true;
  }
  becomes(state: RTCPeerConnectionState) {
    this.state = state;
    this.owner.state(state);
  }
}

interface Asked {
  what: 'join' | 'restart';
  token: string | undefined;
  answer(): Promise<void>;
  refuse(code: string, status: number): Promise<void>;
  lose(): Promise<void>;
}

const asked: Asked[] = [];
let tokens = 0;

/** A request that waits until the test answers it. */
function request(what: Asked['what'], token: string | undefined, answer: () => unknown): Promise<unknown> {
  return new Promise((resolve, reject) => {
    const after = async (run: () => void) => {
      run();
      await vi.advanceTimersByTimeAsync(0);
    };
    asked.push({
      what,
      token,
      answer: () => after(() => resolve(answer())),
      refuse: (code, status) => after(() => reject(new ApiError({ type: '', title: '', code, status }))),
      lose: () => after(() => reject(networkError())),
    });
  });
}

vi.mock('../../src/media/peer', () => ({ Peer: FakePeer, SLOTS: 3 }));
vi.mock('../../src/media/playback', () => ({ play: () => undefined }));
vi.mock('../../src/api/routes', () => ({
  rooms: {
    join: (_: string, body: { resume_token?: string }) =>
      request('join', body.resume_token, () => {
        tokens++;
        return { session: `s${tokens}`, resume_token: `t${tokens}`, sdp: 'answer', room: room({}), resumed: true };
      }),
    restartIce: () => request('restart', undefined, () => ({ sdp: 'restarted' })),
  },
}));
const online = new Set<() => void>();
vi.stubGlobal('addEventListener', (_: string, run: () => void) => online.add(run));
vi.stubGlobal('removeEventListener', (_: string, run: () => void) => online.delete(run));
const { MediaSession } = await import('../../src/media/session');

const phases: string[] = [];
const over = vi.fn();
const owner = {
  socket: () => 'socket',
  linkKey: () => undefined,
  phase: (next: string) => void phases.push(next),
  noSound: () => void phases.push('no sound'),
  joined: () => undefined,
  over,
};
let session: InstanceType<typeof MediaSession>;
const peer = () => FakePeer.all.at(-1) as FakePeer;
const newest = () => asked.at(-1) as Asked;
const phase = () => phases.at(-1);
const pass = (ms: number) => vi.advanceTimersByTimeAsync(ms);

beforeEach(async () => {
  vi.useFakeTimers();
  for (const list of [asked, phases, FakePeer.all]) list.length = 0;
  tokens = 0;
  over.mockClear();
  session = new MediaSession('room', 'kept', owner);
  await pass(0);
});

afterEach(() => {
  void session.close();
  vi.useRealTimers();
});

async function live() {
  await newest().answer();
  peer().becomes('connected');
  expect(phase()).toBe('live');
}

describe('one negotiation at a time', () => {
  test('a restarted server: hints that overlap ask once more, not twice at once', async () => {
    await live();
    peer().becomes('disconnected');
    await pass(0);
    expect(asked.map(({ what }) => what)).toEqual(['join', 'restart']);
    session.liveSocketBack();
    for (const run of online) run();
    await pass(10_000);
    expect(asked).toHaveLength(2);
    await newest().answer();
    expect(asked.map(({ what }) => what)).toEqual(['join', 'restart', 'restart']);
    await newest().answer();
    expect(asked).toHaveLength(3);
    peer().becomes('connected');
    expect(phase()).toBe('live');
  });

  test('a server that forgot the session is joined once, whoever hears of it', async () => {
    await live();
    peer().becomes('disconnected');
    await pass(0);
    session.liveSocketBack();
    await pass(0);
    await newest().refuse('session_not_found', 404);
    await pass(0);
    expect(asked.map(({ what }) => what)).toEqual(['join', 'restart', 'join']);
    session.liveSocketBack();
    session.sessionLost();
    await pass(10_000);
    expect(asked).toHaveLength(3);
    expect(FakePeer.all).toHaveLength(2);
    await live();
    await pass(60_000);
    expect(asked).toHaveLength(3);
    expect(over).not.toHaveBeenCalled();
  });

  test('a join replaces a restart, whose late answer is void', async () => {
    await live();
    const before = peer();
    before.becomes('disconnected');
    await pass(0);
    const restart = newest();
    before.becomes('failed');
    await pass(0);
    expect(newest().what).toBe('join');
    expect(before.closed).toBe(true);
    await restart.refuse('session_not_found', 404);
    expect(before.answers).toEqual(['answer']);
    await live();
    expect(asked).toHaveLength(3);
  });

  test('a join that fails while the network came back is tried again at once', async () => {
    await newest().lose();
    await pass(0);
    await newest().lose();
    await pass(1_000);
    const tries = asked.length;
    session.liveSocketBack();
    await pass(0);
    await newest().lose();
    await pass(0);
    expect(asked).toHaveLength(tries + 1);
  });

  test('two restarts of the server in a row end in one live connection', async () => {
    for (let restart = 0; restart < 2; restart++) {
      await live();
      peer().becomes('disconnected');
      await pass(0);
      await newest().lose();
      session.liveSocketBack();
      await pass(0);
      await newest().refuse('session_not_found', 404);
      await pass(0);
      expect(newest().what).toBe('join');
    }
    await live();
    await pass(60_000);
    expect(phase()).toBe('live');
    expect(FakePeer.all.filter(({ closed }) => !closed)).toHaveLength(1);
  });
});

describe('resume tokens', () => {
  test('each join uses the newest one', async () => {
    expect(newest().token).toBe('kept');
    await live();
    peer().becomes('failed');
    await pass(0);
    expect(newest().token).toBe('t1');
    await live();
    session.sessionLost();
    await pass(0);
    expect(newest().token).toBe('t2');
  });

  test('a cut that outlasts the grace: the token is refused, and the person comes back without it', async () => {
    await live();
    peer().becomes('failed');
    for (let tries = 0; tries < 12; tries++) {
      await pass(5_000);
      expect(newest().token).toBe('t1');
      await newest().lose();
    }
    expect(phase()).toBe('rejoining');
    for (const run of online) run();
    await pass(0);
    await newest().refuse('resume_refused', 403);
    await pass(5_000);
    expect(newest().token).toBeUndefined();
    expect(over).not.toHaveBeenCalled();
    await live();
  });

  test('who was banned, or whose room has ended, is not brought back', async () => {
    await live();
    peer().becomes('failed');
    await pass(0);
    await newest().refuse('room_banned', 403);
    await pass(60_000);
    expect(over).toHaveBeenCalledOnce();
    expect(phase()).toBe('rejoining');
    expect(asked).toHaveLength(2);
  });

  test('a session that was closed asks for nothing more, whatever comes', async () => {
    await live();
    peer().becomes('failed');
    await pass(0);
    const join = newest();
    session.close();
    await join.answer();
    session.liveSocketBack();
    session.sessionLost();
    await pass(60_000);
    expect(asked).toHaveLength(2);
    expect(peer().answers).toEqual([]);
  });
});

describe('leaving while a join is under way', () => {
  test('is over when the server has answered it', async () => {
    let settled = false;
    const join = newest();
    void session.close().then(() => {
      settled = true;
    });
    await pass(1_000);
    expect(settled).toBe(false);
    await join.answer();
    expect(settled).toBe(true);
    expect(peer().answers).toEqual([]);
  });

  test('is over at once when none is', async () => {
    await live();
    await expect(session.close()).resolves.toEqual([undefined, undefined]);
  });

  test('the next room is joined after it, so that the server has them in order', async () => {
    const before = newest();
    const next = new MediaSession('other', undefined, { ...owner, joined: () => undefined }, session.close());
    await pass(1_000);
    expect(asked).toHaveLength(1);
    await before.answer();
    expect(asked).toHaveLength(2);
    void next.close();
    await newest().lose();
  });
});

test('no way for the sound is said after a while, and a connection that fails is joined anew', async () => {
  await newest().answer();
  await pass(8_000);
  expect(phase()).toBe('no sound');
  peer().becomes('failed');
  await pass(0);
  expect(asked.map(({ what }) => what)).toEqual(['join', 'join']);
});
