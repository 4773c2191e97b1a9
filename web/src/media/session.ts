/**
 * One person's media in one room: joins in one request, and keeps the sound going through lost networks, restarted
 * servers and reloaded pages, as `recovery` says.
 *
 * Invariants: at most one PeerConnection; at most one request under way (`#run` makes an overtaken one's answer void);
 * every join uses the newest resume token, which works once.
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
  #run = 0;
  #tries = 0;
  #peer: Peer | undefined;
  #session = '';
  #track: MediaStreamTrack | null = null;
  #retry: ReturnType<typeof setTimeout> | undefined;
  #noSound: ReturnType<typeof setTimeout> | undefined;
  #online = () => this.#happened({ what: 'live_socket_back' });

  constructor(room: string, resume: string | undefined, owner: SessionOwner) {
    this.#room = room;
    this.#resume = resume;
    this.#owner = owner;
    addEventListener('online', this.#online);
    void this.#join();
  }

  /** The live socket was away: so may our path to the server have been. */
  liveSocketBack(): void {
    this.#happened({ what: 'live_socket_back' });
  }

  /** The server gave the place up: a new session is needed, with whatever place is left. */
  sessionLost(): void {
    this.#take('rejoin', true);
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

  close(): void {
    this.#run++;
    this.#phase = 'over';
    clearTimeout(this.#retry);
    clearTimeout(this.#noSound);
    removeEventListener('online', this.#online);
    this.#peer?.close();
  }

  async #join(): Promise<void> {
    const run = ++this.#run;
    this.#peer?.close();
    const peer = new Peer({
      state: (state) => run === this.#run && this.#happened({ what: 'connection', state }),
      slot: play,
    });
    this.#peer = peer;
    try {
      const sdp = await peer.offer();
      const joined = await rooms.join(this.#room, { sdp, resume_token: this.#resume, socket: this.#owner.socket() });
      if (run !== this.#run) return;
      this.#resume = joined.resume_token;
      this.#session = joined.session;
      await peer.answer(joined.sdp);
      await peer.speak(this.#track);
      clearTimeout(this.#noSound);
      this.#noSound = setTimeout(() => this.#owner.noSound(), NO_SOUND_MS);
      this.#owner.joined(joined);
    } catch (error) {
      if (run === this.#run) this.#refused(error);
    }
  }

  async #restart(): Promise<void> {
    const peer = this.#peer;
    const run = this.#run;
    if (!peer) return;
    try {
      const sdp = await peer.restartOffer();
      const answer = await rooms.restartIce(this.#room, this.#session, sdp);
      if (run !== this.#run) return;
      await peer.answer(answer.sdp);
      // Asked for on suspicion: the old path may have been good all the time.
      if (peer.state === 'connected') this.#happened({ what: 'connection', state: 'connected' });
    } catch (error) {
      if (run !== this.#run) return;
      await peer.rollback().catch(() => undefined);
      this.#refused(error);
    }
  }

  #refused(error: unknown): void {
    const problem = error instanceof ApiError ? error : networkError();
    this.#happened({ what: 'refused', code: codeOf(problem), status: problem.problem.status }, problem);
  }

  #happened(happened: Happened, error?: ApiError): void {
    if (happened.what === 'connection' && happened.state === 'connected') this.#connected();
    else this.#take(next(this.#phase, happened), happened.what === 'live_socket_back', error);
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
        void this.#restart();
        return;
      case 'rejoin':
        this.#enter('rejoining');
        this.#soon(now, () => this.#join());
        return;
      case 'forget_token':
        this.#resume = undefined;
        this.#soon(now, () => this.#join());
        return;
      case 'retry':
        this.#soon(now, () => (this.#phase === 'restarting' ? this.#restart() : this.#join()));
        return;
      case 'give_up':
        this.close();
        this.#owner.over(error ?? networkError());
    }
  }

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
