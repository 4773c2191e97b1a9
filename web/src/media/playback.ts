/**
 * Plays the slots. Each has an `<audio>` element in the page: a remote track that no element plays is not decoded, and
 * the elements are what the browser pauses, routes to a loudspeaker and shows on the lock screen.
 */
import { signal } from '@preact/signals';
import { SLOTS } from './peer';

/** The browser wants a tap before it plays sound. */
export const blocked = signal(false);

let elements: HTMLAudioElement[] = [];

function ensure(): HTMLAudioElement[] {
  if (elements.length === 0) {
    elements = Array.from({ length: SLOTS }, (_, slot) => {
      const element = document.createElement('audio');
      element.autoplay = true;
      element.dataset.slot = String(slot);
      document.body.append(element);
      return element;
    });
  }
  return elements;
}

export function play(slot: number, track: MediaStreamTrack): void {
  const element = ensure()[slot];
  if (!element) return;
  element.srcObject = new MediaStream([track]);
  void start(element);
}

/** To be called from the tap that enters a room: some browsers play later what was started by a finger. */
export function prime(loudspeaker: string): void {
  for (const element of ensure()) {
    element.srcObject = new MediaStream();
    void start(element);
  }
  if (loudspeaker) void routeTo(loudspeaker);
}

/** To be called from a tap: browsers that block sound let the elements play from then on. */
export function unblock(): void {
  blocked.value = false;
  for (const element of ensure()) void start(element);
}

export function stop(): void {
  for (const element of elements) element.srcObject = null;
  blocked.value = false;
}

/** Which loudspeaker, where browsers let pages choose. */
export async function routeTo(device: string): Promise<void> {
  const routed = ensure().map((element) => ('setSinkId' in element ? element.setSinkId(device) : undefined));
  // One that is unplugged is no reason not to hear anything: the browser goes on with its own choice.
  await Promise.allSettled(routed);
}

async function start(element: HTMLAudioElement): Promise<void> {
  if (!element.srcObject) return;
  try {
    await element.play();
    // A tap on anything else has let it.
    blocked.value = false;
  } catch (error) {
    // Interrupted by a new source is no refusal.
    if (error instanceof DOMException && error.name === 'NotAllowedError') blocked.value = true;
  }
}
