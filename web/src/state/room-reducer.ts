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
      // Only a closed room has one.
      return { ...room, link_key: null, ...settings };
    }
    case 'stage':
      return staged(room, change.member, me);
    case 'unstaged': {
      const stage = room.stage.filter((member) => member.person.id !== change.person.id);
      return change.person.id === me ? { ...room, stage, my_role: 'listener' } : { ...room, stage };
    }
    case 'hand_up':
      return handUp(room, change);
    case 'hand_down':
      return handDown(room, change);
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

function handUp(room: RoomSnapshot, change: Extract<RoomChange, { change: 'hand_up' }>): RoomSnapshot {
  const { hand, hand_count, my_hand } = change;
  const hands = hand ? [...without(room.hands, hand.person.id), hand] : room.hands;
  return { ...room, hands, hand_count, my_hand };
}

function handDown(room: RoomSnapshot, change: Extract<RoomChange, { change: 'hand_down' }>): RoomSnapshot {
  const { person, hand_count, my_hand } = change;
  return { ...room, hands: person ? without(room.hands, person.id) : room.hands, hand_count, my_hand };
}

function without(hands: Hand[], person: string): Hand[] {
  return hands.filter((hand) => hand.person.id !== person);
}

export function memberOf(room: RoomSnapshot, person: string): StageMember | undefined {
  return room.stage.find((member) => member.person.id === person);
}

/** The same room with this person's microphone off; itself where it is off already. */
export function hushed(room: RoomSnapshot, me: string): RoomSnapshot {
  const mine = memberOf(room, me);
  if (!mine || mine.muted) return room;
  return { ...room, stage: room.stage.map((member) => (member === mine ? { ...mine, muted: true } : member)) };
}
