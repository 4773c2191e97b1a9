/** What somebody may do in a room, as the server will decide it: screens offer nothing that would be refused. Pure. */
import type { Moderation, RoomSnapshot } from '../api/types';
import { memberOf } from './room-reducer';

/** What `me` may do to `target`, in the order in which it is offered. */
export function moderation(room: RoomSnapshot, me: string, target: string, invited: boolean): Moderation[] {
  if (room.my_role !== 'moderator' || target === me) return [];
  const member = memberOf(room, target);
  if (!member) return [invited ? 'cancel_invitation' : 'invite_to_stage', 'remove', 'ban'];
  // Moderators may do all of it to each other: a room must have a way out of one who does harm.
  const mute = member.muted ? [] : (['mute'] as const);
  const promote = member.role === 'moderator' ? [] : (['make_moderator'] as const);
  return [...mute, 'move_back', ...promote, 'remove', 'ban'];
}

export type MainAction = 'raise' | 'lower' | 'hands_off' | 'invited' | 'coming' | 'unmute' | 'mute';

/** The one big button of the room. `coming`: an invitation was accepted, and the stage number is on its way. */
export function mainAction(room: RoomSnapshot, me: string, coming: boolean): MainAction {
  const member = memberOf(room, me);
  if (member) return member.muted ? 'unmute' : 'mute';
  if (coming) return 'coming';
  if (room.invited_to_stage) return 'invited';
  if (room.my_hand) return 'lower';
  return room.hand_raising === 'off' ? 'hands_off' : 'raise';
}
