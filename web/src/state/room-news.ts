/** Tells the person what changed in the room: by ear for screen readers, and with a toast where it is about them. */
import type { RoomSnapshot } from '../api/types';
import { t } from '../i18n';
import { chime } from '../media/chime';
import { memberOf } from './room-reducer';
import { settings } from './settings';
import { announce, toast } from './toasts';

export function noteChanges(before: RoomSnapshot | null, after: RoomSnapshot, me: string, own: boolean): void {
  if (!before || before.id !== after.id) return;
  noteSelf(before, after, me, own);
  for (const { person } of after.stage) {
    if (person.id !== me && !memberOf(before, person.id)) announce(t('room.news.on_stage', { name: person.name }));
  }
  for (const { person } of before.stage) {
    if (person.id !== me && !memberOf(after, person.id)) announce(t('room.news.off_stage', { name: person.name }));
  }
  if (after.my_role === 'moderator' && after.hand_count > before.hand_count) {
    announce(t('room.hands.count', { n: after.hand_count }));
  }
}

function noteSelf(before: RoomSnapshot, after: RoomSnapshot, me: string, own: boolean): void {
  const was = memberOf(before, me);
  const is = memberOf(after, me);
  if (!was && is) {
    sound('rise');
    announce(t('room.news.you_on_stage'));
  }
  if (was && !is) (own ? announce : toast)(t('room.news.you_off_stage'));
  if (was && is && was.role !== is.role && is.role === 'moderator') toast(t('room.news.you_moderate'));
  if (was?.muted === false && is?.muted) {
    if (own) announce(t('room.news.you_muted'));
    else toast(t('room.news.muted_by_moderator'));
  }
  if (was?.muted && is?.muted === false) announce(t('room.news.you_unmuted'));
  if (!before.invited_to_stage && after.invited_to_stage) {
    sound('call');
    announce(t('room.news.invited'));
  }
}

function sound(kind: 'rise' | 'call'): void {
  if (settings.value.sounds) chime(kind);
}
