/** A notice in one sentence. */
import type { Notice, PersonBrief } from '../api/types';
import { t } from '.';

export function noticeText({ what }: Notice): string {
  switch (what.kind) {
    case 'admitted':
      return t('notice.admitted');
    case 'invite_accepted':
      return t('notice.invite_accepted', { name: nameOf(what.person) });
    case 'new_follower':
      return t('notice.new_follower', { name: nameOf(what.person) });
    case 'stage_invitation':
      return about('notice.stage_invitation', what);
    case 'pinged':
      return about('notice.pinged', what);
    case 'room_started':
      return about('notice.room_started', what);
  }
}

/** A room's title goes with the room: nobody keeps it. */
function about(
  key: 'notice.stage_invitation' | 'notice.pinged' | 'notice.room_started',
  { by, title }: { by: PersonBrief; title: string },
): string {
  return title ? t(key, { name: nameOf(by), title }) : t(`${key}_over`, { name: nameOf(by) });
}

/** Who has just come in may not have said their name yet. */
function nameOf(person: PersonBrief): string {
  return person.name || t('person.somebody');
}
