/**
 * This person's microphone in the room. It follows what the room says about them: a moderator's mute, a move back to
 * the audience and a reconnect all end here, so no other place can forget to stop sending.
 */
import { signal } from '@preact/signals';
import type { StageMember } from '../api/types';
import { Meter } from '../media/meter';
import { type MicError, MicrophoneError, openMicrophone, stopStream } from '../media/microphone';
import type { MediaSession } from '../media/session';
import { settings } from './settings';

class Microphone {
  readonly opening = signal(false);
  readonly error = signal<MicError | null>(null);
  /** It was unplugged, or the person took the permission back. */
  onLost: () => void = () => undefined;
  #stream: MediaStream | undefined;
  #meter: Meter | undefined;

  /** Opens it if need be. False, with `error` set, when the person or the machine says no. */
  async open(): Promise<boolean> {
    if (this.#stream?.active) return true;
    this.opening.value = true;
    try {
      this.#stream = await openMicrophone(settings.value.microphone || undefined);
      this.#meter?.close();
      this.#meter = new Meter(this.#stream);
      const track = this.#stream.getAudioTracks()[0];
      // Not fired by our own stop().
      if (track) track.onended = () => this.onLost();
      this.error.value = null;
      return true;
    } catch (error) {
      this.error.value = error instanceof MicrophoneError ? error.code : 'denied';
      return false;
    } finally {
      this.opening.value = false;
    }
  }

  /** Sends, is silent, or is let go, as the room says. */
  async follow(member: StageMember | undefined, media: MediaSession | undefined): Promise<void> {
    if (!member) {
      await media?.speak(null);
      this.#close();
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

  #close(): void {
    stopStream(this.#stream);
    this.#stream = undefined;
    this.#meter?.close();
    this.#meter = undefined;
    this.error.value = null;
  }
}

export const microphone = new Microphone();
