/** A notice in one sentence. */
import type { Notice, PersonBrief } from '../api/types';
import { t } from '.';
import type { Key } from './en';

export function noticeText({ what }: Notice): string {
  switch (what.kind) {
    case 'admitted':
      return t('notice.admitted');
    case 'invite_accepted':
      return t('notice.invite_accepted', { name: nameOf(what.person) });
    case 'new_follower':
      return t('notice.new_follower', { name: nameOf(what.person) });
    case 'stage_invitation':
      return about(what, 'notice.stage_invitation', 'notice.stage_invitation_over');
    case 'pinged':
      return about(what, 'notice.pinged', 'notice.pinged_over');
    case 'room_started':
      return about(what, 'notice.room_started', 'notice.room_started_over');
  }
}

/** A room's title goes with the room: nobody keeps it. */
function about({ by, title }: { by: PersonBrief; title: string }, named: Key, over: Key): string {
  return title ? t(named, { name: nameOf(by), title }) : t(over, { name: nameOf(by) });
}

/** Who has just come in may not have said their name yet. */
function nameOf(person: PersonBrief): string {
  return person.name || t('person.somebody');
}
