/** A notice in one sentence. */
import type { Notice } from '../api/types';
import { t } from '.';

export function noticeText({ what }: Notice): string {
  switch (what.kind) {
    case 'admitted':
      return t('notice.admitted');
    case 'invite_accepted':
      return t('notice.invite_accepted', { name: what.person.name });
    case 'new_follower':
      return t('notice.new_follower', { name: what.person.name });
    case 'stage_invitation':
      return t('notice.stage_invitation', { name: what.by.name, title: what.title });
    case 'pinged':
      return t('notice.pinged', { name: what.by.name, title: what.title });
    case 'room_started':
      return t('notice.room_started', { name: what.by.name, title: what.title });
  }
}
