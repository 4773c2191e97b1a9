/** Live rooms, and the people and notices lists that more than one screen shows. */
import { notices as noticeRoutes, rooms } from '../api/routes';
import type { Notice, RoomCard } from '../api/types';
import { me } from './account';
import { PagedList } from './list';

export const hallway = new PagedList<RoomCard>(
  (cursor) => rooms.hallway(cursor),
  (room) => room.id,
);
export const notices = new PagedList<Notice>(
  (cursor) => noticeRoutes.list(cursor),
  (notice) => notice.seq,
);

/** A room whose end was seen is gone at once, whatever the next list says when. */
export function dropRoom(id: string): void {
  const known = hallway.items.value;
  if (known) hallway.items.value = known.filter((room) => room.id !== id);
}

export function addNotice(notice: Notice): void {
  const known = notices.items.value;
  if (known && !known.some((other) => other.seq === notice.seq)) notices.items.value = [notice, ...known];
}

/** What is on the screen has been read, which is all up to the newest of it. */
export async function markRead(upTo: number): Promise<void> {
  if (!me.value || me.value.notices_read >= upTo) return;
  me.value = { ...me.value, notices_read: upTo };
  await noticeRoutes.read(upTo).catch(() => undefined);
}
