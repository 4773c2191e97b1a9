/**
 * The room that this person is in: joins it, follows it, and carries out what they do in it.
 *
 * What they do shows at once, as an overlay over what the server said, and is corrected if the server says otherwise.
 * The microphone follows the view: on stage and not muted means that it sends, whoever changed that.
 */
import { computed, signal } from '@preact/signals';
import { type ApiError, codeOf, passes } from '../api/problem';
import { backoffMs } from '../api/retry';
import { rooms } from '../api/routes';
import type {
  Joined,
  LeftWhy,
  Problem,
  RoomAck,
  RoomChange,
  RoomSnapshot,
  ServerMessage,
  StageMember,
} from '../api/types';
import { t } from '../i18n';
import { prime, stop as stopPlayback } from '../media/playback';
import type { Phase } from '../media/recovery';
import { MediaSession, type SessionOwner } from '../media/session';
import { me, myId } from './account';
import { dropRoom } from './hallway';
import { live } from './live';
import * as resume from './resume';
import { keyOf } from './room-link';
import { noteChanges } from './room-news';
import { hushed, memberOf } from './room-reducer';
import * as seq from './room-sync';
import { settings } from './settings';
import { announce, attempt, toast } from './toasts';
import { microphone } from './voice';

const OVERLAY_MS = 6_000;
/** Between two tries to follow a room that the service is too busy to tell of. */
const FIRST_WATCH_MS = 500;
const MAX_WATCH_MS = 15_000;

export type Connection = 'none' | 'connecting' | 'live' | 'reconnecting' | 'no_sound';

/** How the last room ended for this person, until they look away. */
export interface Farewell {
  id: string;
  why: LeftWhy;
  problem?: ApiError;
  room: RoomSnapshot | null;
}

export const roomId = signal<string | null>(null);
const sync = signal<seq.RoomSync | null>(null);
export const room = computed(() => (sync.value ? seq.view(sync.value) : null));
/** What an accepted invitation is about, until the stage has this person. */
export const COMING = 'coming';
export const coming = computed(() => Boolean(sync.value?.overlays.some(({ about }) => about === COMING)));
export const connection = signal<Connection>('none');
export const farewell = signal<Farewell | null>(null);
/** Whom this person has asked on stage and who has not come yet. */
export const asked = signal<ReadonlySet<string>>(new Set());

let media: MediaSession | undefined;
/** When the last session has nothing under way any more. */
let closed: Promise<unknown> = Promise.resolve();
/** The last leave that was sent, and of which room. */
let left: { id: string; done: Promise<void> } | undefined;
let overlayIds = 0;

export const levels = (): Map<number, number> => media?.levels() ?? new Map();

export function join(id: string): void {
  if (roomId.value === id) return;
  if (roomId.value) close();
  farewell.value = null;
  roomId.value = id;
  connection.value = 'connecting';
  prime(settings.value.loudspeaker);
  const owner: SessionOwner = {
    socket: () => live.id,
    linkKey: () => room.value?.link_key ?? keyOf(id),
    phase: phaseChanged,
    noSound: () => {
      connection.value = 'no_sound';
    },
    joined,
    over: (problem) => end(codeOf(problem) === 'room_ended' ? 'ended' : 'lost_connection', problem),
  };
  // Who comes back waits for their leave, which would take that away if it came late.
  const before = left?.id === id ? Promise.all([closed, left.done]) : closed;
  media = new MediaSession(id, resume.tokenFor(id), owner, before);
}

/** Another window took over: what this one has is closed, the place is not given up. */
export function abandon(): void {
  if (roomId.peek()) close();
}

export async function leave(): Promise<void> {
  const id = roomId.value;
  if (!id) return;
  close();
  left = { id, done: giveUp(id, closed) };
  await left.done;
}

async function giveUp(id: string, joined: Promise<unknown>): Promise<void> {
  await joined;
  // Back already: this would take away what they came back to.
  if (roomId.value === id) return;
  // A leave that does not arrive is made good by the closed connection.
  await rooms.leave(id).catch(() => undefined);
}

/** From the live socket. */
export function received(message: ServerMessage): void {
  const state = sync.value;
  if (message.type === 'left_room') wasTakenOut(message.room, message.why);
  if (!state) return;
  if (message.type === 'problem') watchRefused(message.problem);
  else if (message.type === 'room' || message.type === 'room_snapshot') watchTries = 0;
  if (message.type === 'room_snapshot' && message.room.id === state.base.id) {
    update(seq.snapshot(state, message.room));
  }
  if (message.type === 'room' && message.room === state.base.id) {
    const { sync: next, need } = seq.delta(state, message.seq, message.change);
    update(next);
    if (need !== undefined) watch(state.base.id, need);
    if (message.change.change === 'ended') end('ended');
    if (message.change.change === 'hand_down' && message.change.declined) toast(t('room.hand.declined'));
  }
}

function wasTakenOut(id: string, why: LeftWhy): void {
  // One's own doing has been done here already; a lost network is what the session recovers from.
  if (why === 'left') return;
  const last = farewell.value;
  // The connection was closed before the reason came.
  if (last?.id === id && why !== 'lost_connection') farewell.value = { ...last, why, problem: undefined };
  if (id !== roomId.value) return;
  if (why === 'lost_connection') media?.sessionLost();
  else end(why);
}

let watchTries = 0;
let watchAgain: ReturnType<typeof setTimeout> | undefined;

function watch(id: string, after: number): void {
  clearTimeout(watchAgain);
  live.send({ type: 'watch', room: id, after });
}

/** Nothing else is asked for on the socket. Without this a service that was busy once would be silent for good. */
function watchRefused({ code, status, retry_after }: Problem): void {
  if (!passes(code, status)) return;
  const wait_ms = backoffMs(++watchTries, Math.random(), FIRST_WATCH_MS, MAX_WATCH_MS);
  clearTimeout(watchAgain);
  watchAgain = setTimeout(
    () => {
      if (sync.value) watch(sync.value.base.id, sync.value.base.seq);
    },
    Math.max(wait_ms, (retry_after ?? 0) * 1000),
  );
}

/** The live socket is open (again): the room's changes have to come to this one. */
export function socketOpened(again: boolean): void {
  const state = sync.value;
  if (!state) return;
  sync.value = { ...state, healing: false };
  watch(state.base.id, state.base.seq);
  if (again) media?.liveSocketBack();
}

/**
 * Shows `change` at once, sends the command, and takes the change back if it is refused. Commands about the same thing are
 * sent in the order of the presses: one that overtook another would have the last word. `shown_ms`: for so long without
 * an answer.
 */
export async function act(
  about: string,
  change: RoomChange | null,
  agreed: (base: RoomSnapshot) => boolean,
  command: (id: string) => Promise<RoomAck>,
  shown_ms = OVERLAY_MS,
): Promise<RoomAck | undefined> {
  const state = sync.value;
  if (!state) return undefined;
  const id = ++overlayIds;
  if (change) {
    const until_ms = Date.now() + shown_ms;
    update(seq.overlay(state, { id, about, change, agreed, answered: false, until_ms }), true);
    if (Number.isFinite(shown_ms)) setTimeout(expire, shown_ms + 50);
  }
  const ack = await attempt(() => inOrder(about, () => command(state.base.id)));
  if (sync.value) update(ack ? seq.answer(sync.value, id, Date.now() + OVERLAY_MS) : seq.refuse(sync.value, id));
  setTimeout(expire, OVERLAY_MS + 50);
  if (ack?.pending) toast(t('room.pending'));
  return ack;
}

function expire(): void {
  if (sync.value) update(seq.expire(sync.value, Date.now()));
}

const lastAbout = new Map<string, Promise<unknown>>();

function inOrder<T>(about: string, run: () => Promise<T>): Promise<T> {
  const next = (lastAbout.get(about) ?? Promise.resolve()).then(run, run);
  lastAbout.set(about, next);
  const done = () => lastAbout.get(about) === next && lastAbout.delete(about);
  next.then(done, done);
  return next;
}

/** Asks for the whole room again, where a change cannot say what this person needs to know. */
export async function refresh(): Promise<void> {
  const id = roomId.value;
  if (!id) return;
  const fresh = await rooms.get(id, keyOf(id)).catch(() => undefined);
  if (fresh && sync.value?.base.id === fresh.id) update(seq.snapshot(sync.value, fresh));
}

function joined({ room: told, resume_token, resumed }: Joined): void {
  resume.remember(told.id, resume_token);
  const before = sync.value;
  const wasOnStage = before && memberOf(before.base, myId.value);
  // Who comes anew may have another microphone in hand: the service switches it off, and says so a moment later.
  // Who muted themselves before a reload, and was not heard, stays so.
  const silent = !before && resume.wasSilent(told.id);
  const snapshot = resumed && !silent ? told : hushed(told, myId.value);
  update(before ? seq.rejoin(before, snapshot) : seq.start(myId.value, snapshot), !resumed);
  if (snapshot !== told && !silent) toast(t('room.muted_here'));
  if (wasOnStage && !resumed && snapshot.my_role === 'listener') toast(t('room.back_in_audience'));
  watch(snapshot.id, snapshot.seq);
  const mine = memberOf(snapshot, myId.value);
  if (silent && snapshot !== told && mine) void muteMyself(mine);
  else void reopenMicrophone();
}

/** On stage with an open microphone that this page does not have: after a reload, or when it was unplugged. */
async function reopenMicrophone(): Promise<void> {
  const member = room.value && memberOf(room.value, myId.value);
  if (!member || member.muted) return;
  const opened = await microphone.open();
  if (opened === 'open') await microphone.follow(room.value ? memberOf(room.value, myId.value) : undefined, media);
  if (opened === 'refused') await muteMyself(member);
}

async function muteMyself(member: StageMember): Promise<void> {
  const muted = (base: RoomSnapshot) => memberOf(base, myId.value)?.muted !== false;
  await act('mute', { change: 'stage', member: { ...member, muted: true } }, muted, (id) => rooms.mute(id, true));
}

microphone.onLost = () => void reopenMicrophone();

/** Another one was chosen: who is on stage goes on with it. */
export async function microphoneChosen(): Promise<void> {
  const opened = await microphone.reopen();
  const member = room.value && memberOf(room.value, myId.value);
  if (opened === 'open' && member) await microphone.follow(member, media);
}

/** `own`: this person's own doing, which they need not be told about. */
function update(next: seq.RoomSync, own = false): void {
  const before = room.value;
  sync.value = next;
  const after = room.value;
  if (after && after !== before) {
    noteChanges(before, after, myId.value, own);
    const staged = new Set(after.stage.map((member) => member.person.id));
    asked.value = new Set([...asked.value].filter((person) => !staged.has(person)));
    void microphone.follow(memberOf(after, myId.value), media);
    // The queue is for moderators' eyes: who has just become one has not seen it yet.
    if (before && before.my_role !== 'moderator' && after.my_role === 'moderator' && !own) void refresh();
  }
}

function phaseChanged(phase: Phase): void {
  if (phase === 'live') connection.value = 'live';
  else if (phase === 'restarting' || phase === 'rejoining') connection.value = 'reconnecting';
}

function end(why: LeftWhy, problem?: ApiError): void {
  const id = roomId.value;
  if (!id) return;
  const last = room.value;
  close();
  farewell.value = { id, why, problem, room: last };
  if (why === 'ended') dropRoom(id);
  announce(t(`room.left.${why}`));
}

function close(): void {
  resume.forget();
  if (roomId.value) live.send({ type: 'unwatch', room: roomId.value });
  clearTimeout(watchAgain);
  if (media) closed = media.close();
  media = undefined;
  stopPlayback();
  void microphone.follow(undefined, undefined);
  if (me.value && me.value.room === roomId.value) me.value = { ...me.value, room: null };
  roomId.value = null;
  sync.value = null;
  asked.value = new Set();
  connection.value = 'none';
}
