/** Who speaks and how loud, ten times a second while a room is on: a signal per stage number, so only that ring moves. */
import { effect, type Signal, signal } from '@preact/signals';
import type { PersonBrief } from '../api/types';
import { myId } from './account';
import { levels, room, roomId } from './room';
import { memberOf } from './room-reducer';
import { microphone } from './voice';

const EVERY_MS = 100;
/** A loudness below this is breath and room, not speech. */
const AUDIBLE = 0.08;

const known = new Map<number, Signal<number>>();
/** Who speaks at the moment, loudest first: for the mini-player and for the ear. */
export const speakers = signal<readonly PersonBrief[]>([]);

export function levelOf(number: number): Signal<number> {
  const found = known.get(number) ?? signal(0);
  known.set(number, found);
  return found;
}

export function startLevels(): void {
  effect(() => {
    known.clear();
    if (!roomId.value) {
      speakers.value = [];
      return;
    }
    const timer = setInterval(measure, EVERY_MS);
    return () => clearInterval(timer);
  });
}

function measure(): void {
  const view = room.peek();
  if (!view) return;
  const heard = levels();
  const me = memberOf(view, myId.peek());
  if (me && !me.muted) heard.set(me.number, microphone.level());
  for (const [number, level] of known) level.value = audible(heard.get(number));
  const speaking = view.stage
    .filter((member) => audible(heard.get(member.number)) > 0)
    .sort((a, b) => (heard.get(b.number) ?? 0) - (heard.get(a.number) ?? 0))
    .map((member) => member.person);
  if (speaking.map((person) => person.id).join() !== speakers.value.map((person) => person.id).join()) {
    speakers.value = speaking;
  }
}

function audible(level: number | undefined): number {
  return level !== undefined && level > AUDIBLE ? level : 0;
}
