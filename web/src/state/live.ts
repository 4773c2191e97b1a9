/** The one live socket of this device. Who listens registers itself: `wire` in `start.ts` ties the parts together. */
import type { ServerMessage } from '../api/types';
import { LiveSocket } from '../live/socket';
import { me } from './account';

const listeners: ((message: ServerMessage) => void)[] = [];

export function onLive(listener: (message: ServerMessage) => void): void {
  listeners.push(listener);
}

export const live = new LiveSocket({
  message: (message) => {
    for (const listener of listeners) listener(message);
  },
  noticesAfter: () => me.value?.notice_seq ?? 0,
});
