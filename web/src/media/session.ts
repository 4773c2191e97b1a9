/**
 * One person's media in one room: joins in one request, and keeps the sound going through lost networks, restarted
 * servers and reloaded pages, as `recovery` says.
 *
 * Invariants: at most one PeerConnection, and what is heard of an earlier one is void; at most one join under way, and
 * at most one restart of the connection: whoever wants another meanwhile gets it afterwards, once for all who asked; a
 * join does not wait for the restart that it makes pointless. Every join uses the newest resume token, which works once.
 */
import { ApiError, codeOf, networkError } from '../api/problem';
import { backoffMs } from '../api/retry';
import { rooms } from '../api/routes';
import type { Joined } from '../api/types';
import { Peer } from './peer';
import { play } from './playback';
import { type Happened, next, type Phase, type Step } from './recovery';
import { speaking } from './speakers';

/** Joined for so long without a connection: the network lets no sound through. */
const NO_SOUND_MS = 8_000;
const FIRST_BACKOFF_MS = 400;
const MAX_BACKOFF_MS = 5_000;

export interface SessionOwner {
  /** The live socket that the room's changes shall come to. */
  socket(): string | undefined;
  /** What opens the door of a closed room. */
  linkKey(): string | undefined;
  phase(phase: Phase): void;
  noSound(): void;
  joined(joined: Joined): void;
  over(error: ApiError): void;
}

export class MediaSession {
  #room: string;
  #owner: SessionOwner;
  #resume: string | undefined;
  #phase: Phase = 'joining';
  #tries = 0;
  #peer: Peer | undefined;
  #session = '';
  #track: MediaStreamTrack | null = null;
  /** Settles with the server's answer, or without one. */
  #joinUnderWay: Promise<unknown> | undefined;
  /** Joins go out one after the other, also those of different rooms: the server keeps a person in the last one. */
  #before: Promise<unknown> | undefined;
  /** The connection whose restart is under way. */
  #restarts: Peer | undefined;
  /** Another negotiation was wanted while one was under way. */
  #again = false;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #noSound: ReturnType<typeof setTimeout> | undefined;
  #networkBack = () => this.#happened({ what: 'network_back' });

  /** `before`: what `close` of the session before this one returned. */
  constructor(room: string, resume: string | undefined, owner: SessionOwner, before?: Promise<unknown>) {
    this.#room = room;
    this.#resume = resume;
    this.#owner = owner;
    this.#before = before;
    addEventListener('online', this.#networkBack);
    void this.#join();
  }

  /** The live socket was away: so may our path to the server have been. */
  liveSocketBack(): void {
    this.#networkBack();
  }

  /** The server gave the place up: a new session is needed, with whatever place is left. */
  sessionLost(): void {
    if (this.#phase !== 'over') this.#take('join', true);
  }

  /** Sends this track, or nothing; kept over reconnects. */
  async speak(track: MediaStreamTrack | null): Promise<void> {
    this.#track = track;
    await this.#peer?.speak(track);
  }

  /** Stage number to loudness of those who are heard now. */
  levels(): Map<number, number> {
    return speaking(this.#peer?.contributing() ?? [], Date.now(), performance.now());
  }

  /** Settles when no join is under way any more: a leave that overtook one would be followed by a ghost. */
  close(): Promise<unknown> {
    this.#phase = 'over';
    clearTimeout(this.#retry);
    clearTimeout(this.#noSound);
    removeEventListener('online', this.#networkBack);
    this.#peer?.close();
    this.#peer = undefined;
    return Promise.all([this.#before, this.#joinUnderWay]);
  }

  async #join(): Promise<void> {
    if (this.#joinUnderWay) {
      this.#again = true;
      return;
    }
    let settled: () => void = () => undefined;
    this.#joinUnderWay = new Promise<void>((resolve) => {
      settled = resolve;
    });
    this.#again = false;
    const peer = this.#newPeer();
    let refusal: unknown;
    try {
      const sdp = await peer.offer();
      await this.#before;
      this.#before = undefined;
      if (peer !== this.#peer) throw networkError();
      const joined = await rooms.join(this.#room, {
        sdp,
        resume_token: this.#resume,
        link_key: this.#owner.linkKey(),
        socket: this.#owner.socket(),
      });
      // Before anything else: the one before it may be spent.
      this.#resume = joined.resume_token;
      if (peer === this.#peer) await this.#joined(peer, joined);
    } catch (error) {
      refusal = error;
    }
    this.#joinUnderWay = undefined;
    settled();
    if (refusal !== undefined && peer === this.#peer) this.#refused(refusal);
  }

  #newPeer(): Peer {
    this.#peer?.close();
    const peer = new Peer({
      state: (state) => peer === this.#peer && this.#happened({ what: 'connection', state }),
      slot: play,
    });
    this.#peer = peer;
    return peer;
  }

  async #joined(peer: Peer, joined: Joined): Promise<void> {
    this.#session = joined.session;
    await peer.answer(joined.sdp);
    await peer.speak(this.#track);
    if (peer !== this.#peer) return;
    clearTimeout(this.#retry);
    clearTimeout(this.#noSound);
    this.#noSound = setTimeout(() => this.#owner.noSound(), NO_SOUND_MS);
    this.#owner.joined(joined);
    this.#enter('connecting');
    // It may have found its way, or not, while the answer was taken.
    this.#happened({ what: 'connection', state: peer.state });
  }

  async #restart(): Promise<void> {
    const peer = this.#peer;
    if (!peer) return;
    if (this.#restarts === peer) {
      this.#again = true;
      return;
    }
    this.#restarts = peer;
    this.#again = false;
    let refusal: unknown;
    try {
      const sdp = await peer.restartOffer();
      const answer = await rooms.restartIce(this.#room, this.#session, sdp);
      if (peer === this.#peer) await peer.answer(answer.sdp);
    } catch (error) {
      refusal = error;
      await peer.rollback().catch(() => undefined);
    }
    if (this.#restarts === peer) this.#restarts = undefined;
    // A join replaces the connection, or is about to.
    if (peer !== this.#peer || this.#phase !== 'restarting') return;
    if (refusal !== undefined) this.#refused(refusal);
    else if (this.#again) void this.#restart();
    // Asked for on suspicion: the old path may have been good all the time.
    else if (peer.state === 'connected') this.#connected();
  }

  #refused(error: unknown): void {
    const problem = error instanceof ApiError ? error : networkError();
    const step = next(this.#phase, { what: 'refused', code: codeOf(problem), status: problem.problem.status });
    this.#take(step, this.#again, problem);
  }

  #happened(happened: Happened): void {
    const connected = happened.what === 'connection' && happened.state === 'connected';
    if (connected && (this.#phase === 'connecting' || this.#phase === 'restarting')) this.#connected();
    else this.#take(next(this.#phase, happened), happened.what === 'network_back');
  }

  #connected(): void {
    this.#tries = 0;
    clearTimeout(this.#retry);
    clearTimeout(this.#noSound);
    this.#enter('live');
  }

  #take(step: Step, now: boolean, error?: ApiError): void {
    switch (step) {
      case 'none':
        return;
      case 'restart':
        this.#enter('restarting');
        this.#soon(now, () => this.#restart());
        return;
      case 'join_without_token':
        this.#resume = undefined;
        this.#joinSoon(now);
        return;
      case 'join':
        // Where a restart is not enough, there is nothing to wait for.
        this.#joinSoon(now || this.#phase === 'restarting');
        return;
      case 'give_up':
        this.close();
        this.#owner.over(error ?? networkError());
    }
  }

  #joinSoon(now: boolean): void {
    if (this.#phase !== 'joining') this.#enter('rejoining');
    this.#soon(now, () => this.#join());
  }

  /** The latest wish replaces an earlier one that still waits for its turn. */
  #soon(now: boolean, run: () => void): void {
    clearTimeout(this.#retry);
    const wait = this.#tries === 0 || now ? 0 : backoffMs(this.#tries, Math.random(), FIRST_BACKOFF_MS, MAX_BACKOFF_MS);
    this.#tries++;
    this.#retry = setTimeout(run, wait);
  }

  #enter(phase: Phase): void {
    this.#phase = phase;
    this.#owner.phase(phase);
  }
}
