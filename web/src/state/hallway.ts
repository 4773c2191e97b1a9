/** Live rooms, and the people and notices lists that more than one screen shows. */
import { notices as noticeRoutes, rooms } from '../api/routes';
import type { Notice, RoomCard } from '../api/types';
import { me } from './account';
import { PagedList } from './list';

export const hallway = new PagedList<RoomCard>((cursor) => rooms.hallway(cursor));
export const notices = new PagedList<Notice>(() => noticeRoutes.list());

/** A room whose end was seen is gone at once, whatever the next list says when. */
export function dropRoom(id: string): void {
  const known = hallway.items.value;
  if (known) hallway.items.value = known.filter((room) => room.id !== id);
}

export function addNotice(notice: Notice): void {
  const known = notices.items.value;
  if (known && !known.some((other) => other.seq === notice.seq)) notices.items.value = [notice, ...known];
}

/** What is on the screen has been read. */
export async function markRead(): Promise<void> {
  const account = me.value;
  if (!account || account.notices_read >= account.notice_seq) return;
  await noticeRoutes.read(account.notice_seq).catch(() => undefined);
  if (me.value) me.value = { ...me.value, notices_read: account.notice_seq };
}
