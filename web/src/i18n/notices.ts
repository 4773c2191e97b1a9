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
      return t('notice.stage_invitation', { name: nameOf(what.by), title: what.title });
    case 'pinged':
      return t('notice.pinged', { name: nameOf(what.by), title: what.title });
    case 'room_started':
      return t('notice.room_started', { name: nameOf(what.by), title: what.title });
  }
}

/** Who has just come in may not have said their name yet. */
function nameOf(person: PersonBrief): string {
  return person.name || t('person.somebody');
}
