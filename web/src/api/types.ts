/**
 * Short names for the server's JSON. Shapes, units and limits are in `schema.ts`, which `make types` makes from the
 * server's OpenAPI document; nothing is written twice. Only the type check needs that file: the bundler drops types.
 */
import type { components } from './schema';

type Schemas = components['schemas'];

export type Problem = Schemas['Problem'];

export type CodeSent = Schemas['CodeSent'];
export type Tokens = Schemas['Tokens'];
export type SignedIn = Schemas['SignedIn'];
export type Device = Schemas['Device'];

export type Service = Schemas['Service'];
export type Me = Schemas['Me'];
export type Profile = Schemas['Profile'];
export type ProfileView = Schemas['ProfileView'];
export type ProfilePatch = Schemas['ProfilePatch'];
export type PersonBrief = Schemas['PersonBrief'];
export type Notice = Schemas['Notice'];
export type NoticeSettings = Schemas['NoticeSettings'];
export type PushKey = Schemas['PushKey'];
export type PushKind = Schemas['PushKind'];
export type PushSubscription = Schemas['PushSubscription'];

export type Invite = Schemas['Invite'];
export type Invites = Schemas['Invites'];
export type InvitePreview = Schemas['InvitePreview'];

export type Visibility = Schemas['Visibility'];
export type HandRaising = Schemas['HandRaising'];
export type Role = Schemas['Role'];
export type Moderation = Schemas['Moderation'];
export type RoomCard = Schemas['RoomCard'];
export type RoomSnapshot = Schemas['RoomSnapshot'];
export type StageMember = Schemas['StageMember'];
export type Hand = Schemas['Hand'];
export type AudienceMember = Schemas['AudienceMember'];
export type CreateRoom = Schemas['CreateRoom'];
export type RoomPatch = Schemas['RoomPatch'];
export type JoinRequest = Schemas['JoinRequest'];
export type Joined = Schemas['Joined'];
export type RoomAck = Schemas['RoomAck'];

export type ClientMessage = Schemas['ClientMessage'];
export type ServerMessage = Schemas['ServerMessage'];
export type RoomChange = Schemas['RoomChange'];
export type LeftWhy = Schemas['LeftWhy'];

/** The schema has one page type per kind of item; they are all this. */
export interface Page<Item> {
  items: Item[];
  next_cursor?: string | null;
}
