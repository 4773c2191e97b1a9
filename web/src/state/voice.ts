/**
 * This person's microphone in the room. It follows what the room says about them: a moderator's mute, a move back to
 * the audience and a reconnect all end here, so no other place can forget to stop sending.
 *
 * Invariants: at most one request to the browser at a time, shared by all who ask; a stream that comes after the stage
 * was left is stopped before anybody sees it, however long the browser's question stood.
 */
import { signal } from '@preact/signals';
import type { StageMember } from '../api/types';
import { Meter } from '../media/meter';
import { type MicError, MicrophoneError, openMicrophone, stopStream } from '../media/microphone';
import type { MediaSession } from '../media/session';
import { settings } from './settings';

/** `void`: the stage was left meanwhile, so nobody waits for an answer any more. */
export type Opened = 'open' | 'refused' | 'void';

class Microphone {
  readonly opening = signal(false);
  readonly error = signal<MicError | null>(null);
  /** It was unplugged, or the person took the permission back. */
  onLost: () => void = () => undefined;
  #stream: MediaStream | undefined;
  #meter: Meter | undefined;
  #running: Promise<Opened> | undefined;
  /** Counts how often it was let go: what was asked for before that is not wanted any more. */
  #stay = 0;

  /** Opens it if need be. `refused`, with `error` set, when the person or the machine says no. */
  async open(): Promise<Opened> {
    if (this.#stream?.active) return 'open';
    this.#running ??= this.#ask();
    return this.#running;
  }

  /** Takes the microphone that is now chosen in place of the open one; `refused` keeps that. */
  async reopen(): Promise<Opened> {
    await this.#running;
    if (!this.#stream?.active) return 'void';
    this.#running ??= this.#ask();
    return this.#running;
  }

  /** Sends, is silent, or is let go, as the room says. */
  async follow(member: StageMember | undefined, media: MediaSession | undefined): Promise<void> {
    if (!member) {
      this.#close();
      await media?.speak(null);
      return;
    }
    const track = this.#stream?.getAudioTracks()[0];
    if (track) track.enabled = !member.muted;
    await media?.speak(member.muted ? null : (track ?? null));
  }

  /** Loudness between 0 and 1. */
  level(): number {
    return this.#stream?.getAudioTracks()[0]?.enabled ? (this.#meter?.level() ?? 0) : 0;
  }

  async #ask(): Promise<Opened> {
    const stay = this.#stay;
    this.opening.value = true;
    try {
      const stream = await openMicrophone(settings.value.microphone || undefined);
      if (stay !== this.#stay) {
        stopStream(stream);
        return 'void';
      }
      this.#take(stream);
      return 'open';
    } catch (error) {
      if (stay !== this.#stay) return 'void';
      this.error.value = error instanceof MicrophoneError ? error.code : 'denied';
      return 'refused';
    } finally {
      if (stay === this.#stay) this.#answered();
    }
  }

  #take(stream: MediaStream): void {
    const before = this.#stream;
    this.#stream = stream;
    this.#meter?.close();
    this.#meter = new Meter(stream);
    const track = stream.getAudioTracks()[0];
    // Silent until the room says otherwise. `onended` is not fired by our own stop().
    if (track) {
      track.enabled = false;
      track.onended = () => stream === this.#stream && this.onLost();
    }
    stopStream(before);
    this.error.value = null;
  }

  #answered(): void {
    this.#running = undefined;
    this.opening.value = false;
  }

  #close(): void {
    this.#stay++;
    this.#answered();
    stopStream(this.#stream);
    this.#stream = undefined;
    this.#meter?.close();
    this.#meter = undefined;
    this.error.value = null;
  }
}

export const microphone = new Microphone();
