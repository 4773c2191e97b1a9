/** Every route of `/v1` that the app uses, by name. No logic. */
import { call } from './client';
import type * as wire from './types';

/** Items of a list that come at once. */
export const PAGE_SIZE = 50;

const enc = encodeURIComponent;
const paged = (path: string, cursor?: string | null, limit = PAGE_SIZE) =>
  `${path}?limit=${limit}${cursor ? `&cursor=${enc(cursor)}` : ''}`;
const room = (id: string) => `/v1/rooms/${enc(id)}`;

export const auth = {
  code: (phone: string) => call<wire.CodeSent>('POST', '/v1/auth/code', { open: true, body: { phone } }),
  verify: (body: { phone: string; code: string; device_name: string; invite?: string }) =>
    call<wire.SignedIn>('POST', '/v1/auth/verify', { open: true, body }),
  signOut: () => call<void>('POST', '/v1/auth/sign-out', { repeatable: true }),
};

export const service = {
  get: () => call<wire.Service>('GET', '/v1/service', { open: true }),
};

export const me = {
  get: () => call<wire.Me>('GET', '/v1/me'),
  patch: (patch: wire.ProfilePatch) => call<wire.Me>('PATCH', '/v1/me/profile', { body: patch }),
  handle: (handle: string) => call<wire.Me>('PUT', '/v1/me/handle', { body: { handle } }),
  devices: () => call<{ devices: wire.Device[] }>('GET', '/v1/me/devices'),
  revoke: (device: string) => call<void>('DELETE', `/v1/me/devices/${enc(device)}`),
  numberCode: (phone?: string) => call<wire.CodeSent>('POST', '/v1/me/number/code', { body: { phone } }),
  number: (phone: string, code: string, current_code: string) =>
    call<wire.Me>('PUT', '/v1/me/number', { body: { phone, code, current_code } }),
  export: () => call<Blob>('GET', '/v1/me/export', { file: true }),
  leave: () => call<wire.Me>('PUT', '/v1/me/deletion'),
  stay: () => call<wire.Me>('DELETE', '/v1/me/deletion'),
};

export const people = {
  byHandle: (handle: string) => call<wire.ProfileView>('GET', `/v1/handles/${enc(handle)}`),
  byId: (id: string) => call<wire.ProfileView>('GET', `/v1/users/${enc(id)}`),
  follow: (id: string, on: boolean) => call<void>(on ? 'PUT' : 'DELETE', `/v1/users/${enc(id)}/follow`),
  list: (id: string, which: 'followers' | 'following', cursor?: string | null) =>
    call<wire.Page<wire.PersonBrief>>('GET', paged(`/v1/users/${enc(id)}/${which}`, cursor)),
};

export const invites = {
  list: () => call<wire.Invites>('GET', '/v1/invites'),
  toPhone: (phone: string, key: string) =>
    call<wire.Invite>('POST', '/v1/invites', { key, body: { to: 'phone', phone } }),
  link: (key: string) => call<wire.Invite>('POST', '/v1/invites', { key, body: { to: 'link' } }),
  revoke: (id: string) => call<void>('DELETE', `/v1/invites/${enc(id)}`),
  preview: (code: string) => call<wire.InvitePreview>('GET', `/v1/invite-links/${enc(code)}`, { open: true }),
  accept: (code: string) => call<wire.Me>('POST', `/v1/invite-links/${enc(code)}/accept`, { repeatable: true }),
};

export const notices = {
  list: (cursor?: string | null) => call<wire.Page<wire.Notice>>('GET', paged('/v1/notices', cursor)),
  read: (upTo: number) => call<void>('PUT', '/v1/notices/read', { body: { up_to: upTo } }),
};

export const push = {
  key: () => call<wire.PushKey>('GET', '/v1/push', { open: true }),
  subscribe: (body: wire.PushSubscription) => call<void>('PUT', '/v1/me/push', { body }),
  unsubscribe: () => call<void>('DELETE', '/v1/me/push'),
  settings: () => call<wire.NoticeSettings>('GET', '/v1/me/notice-settings'),
  set: (body: wire.NoticeSettings) => call<wire.NoticeSettings>('PUT', '/v1/me/notice-settings', { body }),
};

export const rooms = {
  hallway: (cursor?: string | null) => call<wire.Page<wire.RoomCard>>('GET', paged('/v1/hallway', cursor, 20)),
  create: (body: wire.CreateRoom, key: string) => call<wire.RoomSnapshot>('POST', '/v1/rooms', { key, body }),
  get: (id: string, linkKey?: string) => call<wire.RoomSnapshot>('GET', room(id), { linkKey }),
  patch: (id: string, body: wire.RoomPatch) => call<wire.RoomAck>('PATCH', room(id), { body }),
  renewLink: (id: string) => call<wire.RoomAck>('POST', `${room(id)}/link`, { repeatable: true }),
  join: (id: string, body: wire.JoinRequest) => call<wire.Joined>('POST', `${room(id)}/join`, { body }),
  restartIce: (id: string, session: string, sdp: string) =>
    call<{ sdp: string }>('POST', `${room(id)}/sessions/${enc(session)}/ice`, { body: { sdp } }),
  leave: (id: string) => call<void>('POST', `${room(id)}/leave`, { repeatable: true }),
  hand: (id: string, up: boolean) => call<wire.RoomAck>(up ? 'PUT' : 'DELETE', `${room(id)}/hand`),
  answerHand: (id: string, user: string, accept: boolean) =>
    call<wire.RoomAck>('POST', `${room(id)}/hands/${enc(user)}`, { repeatable: true, body: { accept } }),
  answerStage: (id: string, accept: boolean) =>
    call<wire.RoomAck>('POST', `${room(id)}/stage`, { repeatable: true, body: { accept } }),
  stepBack: (id: string) => call<wire.RoomAck>('DELETE', `${room(id)}/stage`),
  mute: (id: string, muted: boolean) => call<wire.RoomAck>('PUT', `${room(id)}/mute`, { body: { muted } }),
  moderate: (id: string, user: string, action: wire.Moderation) =>
    call<wire.RoomAck>('POST', `${room(id)}/members/${enc(user)}`, { repeatable: true, body: { action } }),
  roster: (id: string, cursor?: string | null) =>
    call<wire.Page<wire.AudienceMember>>('GET', paged(`${room(id)}/roster`, cursor)),
  ping: (id: string, user: string) => call<void>('POST', `${room(id)}/ping/${enc(user)}`, { repeatable: true }),
  end: (id: string) => call<wire.RoomAck>('POST', `${room(id)}/end`, { repeatable: true }),
};
