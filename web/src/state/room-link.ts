/**
 * Links to rooms. A closed room's link carries a key in its fragment, which no server sees or logs; the key of the link
 * that led here is kept in this tab, so that signing in, a reload and coming back do not lose it.
 */
import type { RoomSnapshot } from '../api/types';
import { roomPath, route } from './route';

const KEY = 'mitalk.link';

interface Kept {
  room: string;
  key: string;
}

/** What is shared. */
export function roomLink(room: Pick<RoomSnapshot, 'id' | 'link_key'>): string {
  return roomPath(room.id) + (room.link_key ? `#${encodeURIComponent(room.link_key)}` : '');
}

/** Keeps the key of the link that was opened, if it has one. */
export function keepKey(): void {
  const at = route.value;
  if (at.name !== 'room' || !at.key) return;
  const kept: Kept = { room: at.id, key: at.key };
  sessionStorage.setItem(KEY, JSON.stringify(kept));
}

export function keyOf(room: string): string | undefined {
  const text = sessionStorage.getItem(KEY);
  const kept = text ? (JSON.parse(text) as Kept) : null;
  return kept?.room === room ? kept.key : undefined;
}
