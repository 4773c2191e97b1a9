/** What people do in a room, each by its intent. */
import { mayPass } from '../api/problem';
import { rooms } from '../api/routes';
import type { Moderation, PersonBrief, RoomChange, RoomSnapshot } from '../api/types';
import { me, myId } from './account';
import * as resume from './resume';
import { mainAction } from './rights';
import { act, asked, COMING, coming, room, roomId } from './room';
import { memberOf } from './room-reducer';
import { microphone } from './voice';

const onStage = (person: string) => (base: RoomSnapshot) => memberOf(base, person) !== undefined;
const offStage = (person: string) => (base: RoomSnapshot) => memberOf(base, person) === undefined;

/** Between two tries to tell the service that somebody is silent. */
const TOLD_AGAIN_MS = 1_000;
let presses = 0;

/** Silence is one's own to decide: it stands while the service cannot be reached, and is told as soon as it can. */
export async function setMuted(muted: boolean): Promise<void> {
  const id = myId.value;
  const press = ++presses;
  const here = roomId.value;
  // The browser's question comes first: nobody is shown as open while it stands. Who pressed again, or went elsewhere
  // meanwhile, has changed their mind.
  if (!muted && (await microphone.open()) !== 'open') return;
  if (press !== presses || roomId.value !== here) return;
  const member = room.value && memberOf(room.value, id);
  if (!member) return;
  const agreed = (base: RoomSnapshot) => (memberOf(base, id)?.muted ?? muted) === muted;
  const wanted = () => muted && press === presses;
  const tell = (at: string) =>
    untilTold(
      () => rooms.mute(at, muted),
      () => wanted() && roomId.value === at,
    );
  // A page that is loaded anew before the service has heard of it must not open the microphone again.
  resume.staySilent(muted ? here : null);
  const change: RoomChange = { change: 'stage', member: { ...member, muted } };
  const ack = await act('mute', change, agreed, tell, muted ? Infinity : undefined);
  if (ack && press === presses) resume.staySilent(null);
}

async function untilTold<T>(tell: () => Promise<T>, wanted: () => boolean): Promise<T> {
  for (;;) {
    try {
      return await tell();
    } catch (error) {
      if (!mayPass(error) || !wanted()) throw error;
      await new Promise((resolve) => setTimeout(resolve, TOLD_AGAIN_MS));
      if (!wanted()) throw error;
    }
  }
}

export async function setHand(up: boolean): Promise<void> {
  const view = room.value;
  const person = mySelf();
  if (!view || !person) return;
  const change: RoomChange = up
    ? {
        change: 'hand_up',
        hand: { person, raised_at_ms: Date.now() },
        hand_count: view.hand_count + 1,
        my_hand: view.hand_count + 1,
      }
    : { change: 'hand_down', person, hand_count: Math.max(0, view.hand_count - 1) };
  await act(
    'hand',
    change,
    (base) => Boolean(base.my_hand) === up || base.my_role !== 'listener',
    (at) => rooms.hand(at, up),
  );
}

export async function answerStage(accept: boolean): Promise<void> {
  // Coming on stage needs the server's number for us, so only the invitation goes away at once.
  const change: RoomChange = { change: 'stage_invitation', invited: false };
  const agreed = accept ? onStage(myId.value) : (base: RoomSnapshot) => !base.invited_to_stage;
  const tell = (at: string) => rooms.answerStage(at, accept);
  // Coming for as long as it is asked for: the question must not stand there again meanwhile.
  await act(accept ? COMING : 'invitation', change, agreed, tell, accept ? Infinity : undefined);
}

export async function stepBack(): Promise<void> {
  const person = mySelf();
  if (person) await act('stage', { change: 'unstaged', person }, offStage(person.id), (at) => rooms.stepBack(at));
}

export async function answerHand(person: PersonBrief, accept: boolean): Promise<void> {
  const count = Math.max(0, (room.value?.hand_count ?? 1) - 1);
  const my_hand = room.value?.my_hand;
  const change: RoomChange = { change: 'hand_down', person, hand_count: count, my_hand };
  const agreed = (base: RoomSnapshot) => !base.hands.some((hand) => hand.person.id === person.id);
  const ack = await act(`hand ${person.id}`, change, agreed, (at) => rooms.answerHand(at, person.id, accept));
  if (ack && accept) asked.value = new Set([...asked.value, person.id]);
}

export async function moderate(person: PersonBrief, action: Moderation): Promise<boolean> {
  const member = room.value ? memberOf(room.value, person.id) : undefined;
  const send = (at: string) => rooms.moderate(at, person.id, action);
  const [change, agreed] = moderated(person, action, member);
  const ack = await act(`person ${person.id}`, change, agreed, send);
  if (ack && action === 'invite_to_stage') asked.value = new Set([...asked.value, person.id]);
  if (ack && action === 'cancel_invitation') {
    asked.value = new Set([...asked.value].filter((other) => other !== person.id));
  }
  return ack !== undefined;
}

type Stage = ReturnType<typeof memberOf>;

function moderated(
  person: PersonBrief,
  action: Moderation,
  member: Stage,
): [RoomChange | null, (base: RoomSnapshot) => boolean] {
  if (!member) return [null, () => true];
  switch (action) {
    case 'mute':
      return [
        { change: 'stage', member: { ...member, muted: true } },
        (base) => memberOf(base, person.id)?.muted !== false,
      ];
    case 'make_moderator':
      return [
        { change: 'stage', member: { ...member, role: 'moderator' } },
        (base) => memberOf(base, person.id)?.role !== 'speaker',
      ];
    case 'move_back':
    case 'remove':
    case 'ban':
      return [{ change: 'unstaged', person }, offStage(person.id)];
    case 'invite_to_stage':
    case 'cancel_invitation':
      return [null, onStage(person.id)];
  }
}

export async function changeSettings(patch: Partial<Pick<RoomSnapshot, 'title' | 'hand_raising' | 'visibility'>>) {
  const view = room.value;
  if (!view) return;
  const { title, topics, visibility, hand_raising, link_key } = { ...view, ...patch };
  const agreed = (base: RoomSnapshot) =>
    base.title === title && base.visibility === visibility && base.hand_raising === hand_raising;
  const change: RoomChange = { change: 'settings', title, topics, visibility, hand_raising, link_key };
  await act('settings', change, agreed, (at) => rooms.patch(at, patch));
}

/** The link that was shared so far opens nothing any more. */
export const renewLink = () =>
  act(
    'link',
    null,
    () => true,
    (at) => rooms.renewLink(at),
  );

export const endRoom = () =>
  act(
    'end',
    null,
    () => true,
    (at) => rooms.end(at),
  );

/** What `M` does: nothing for those who are not on stage. */
export function toggleMute(): void {
  const member = room.value && memberOf(room.value, myId.value);
  if (member) void setMuted(!member.muted);
}

/** What `H` does. */
export function toggleHand(): void {
  if (!room.value || !roomId.value) return;
  const action = mainAction(room.value, myId.value, coming.value);
  if (action === 'raise') void setHand(true);
  if (action === 'lower') void setHand(false);
}

function mySelf(): PersonBrief | undefined {
  const profile = me.value?.profile;
  return profile && { id: profile.id, name: profile.name, handle: profile.handle, headline: profile.headline };
}
