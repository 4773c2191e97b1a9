/**
 * A room as one person sees it, moved on by changes. Pure.
 *
 * Invariants: a person is on stage at most once and not in the queue while there; the stage is in the server's order
 * (moderators first, then by coming on stage); `hands` holds only what this person may see.
 */
import type { Hand, Role, RoomChange, RoomSnapshot, StageMember } from '../api/types';

export function reduce(room: RoomSnapshot, change: RoomChange, me: string): RoomSnapshot {
  switch (change.change) {
    case 'settings': {
      const { change: _, ...settings } = change;
      return { ...room, ...settings };
    }
    case 'stage':
      return staged(room, change.member, me);
    case 'unstaged': {
      const stage = room.stage.filter((member) => member.person.id !== change.person.id);
      return change.person.id === me ? { ...room, stage, my_role: 'listener' } : { ...room, stage };
    }
    case 'hand_up':
      return handUp(room, change.hand, change.hand_count, me);
    case 'hand_down':
      return handDown(room, change.person?.id, change.hand_count, me);
    case 'stage_invitation':
      return { ...room, invited_to_stage: change.invited };
    case 'audience':
      return { ...room, audience_count: change.audience_count };
    case 'ended':
      return { ...room, ended: true };
    case 'nothing':
      return room;
  }
}

function staged(room: RoomSnapshot, member: StageMember, me: string): RoomSnapshot {
  const known = room.stage.some((other) => other.person.id === member.person.id);
  const stage = known
    ? room.stage.map((other) => (other.person.id === member.person.id ? member : other))
    : [...room.stage, member];
  const next = { ...room, stage: ordered(stage), hands: without(room.hands, member.person.id) };
  if (member.person.id !== me) return next;
  return { ...next, my_role: member.role, my_hand: null, invited_to_stage: false };
}

/** Stable, so that within a role the order of coming on stage stays. */
function ordered(stage: StageMember[]): StageMember[] {
  const rank = (role: Role) => (role === 'moderator' ? 0 : 1);
  return [...stage].sort((a, b) => rank(a.role) - rank(b.role));
}

function handUp(room: RoomSnapshot, hand: Hand | null | undefined, count: number, me: string): RoomSnapshot {
  if (!hand) return { ...room, hand_count: count };
  const hands = [...without(room.hands, hand.person.id), hand];
  const mine = hand.person.id === me;
  return { ...room, hands, hand_count: count, my_hand: mine ? (room.my_hand ?? count) : room.my_hand };
}

function handDown(room: RoomSnapshot, person: string | undefined, count: number, me: string): RoomSnapshot {
  const next = { ...room, hands: person ? without(room.hands, person) : room.hands, hand_count: count };
  if (person === me) return { ...next, my_hand: null };
  // Whose hand it was is not for everybody to know, so the own place is only known not to be beyond the end.
  return room.my_hand ? { ...next, my_hand: Math.max(1, Math.min(room.my_hand, count)) } : next;
}

function without(hands: Hand[], person: string): Hand[] {
  return hands.filter((hand) => hand.person.id !== person);
}

export function memberOf(room: RoomSnapshot, person: string): StageMember | undefined {
  return room.stage.find((member) => member.person.id === person);
}
