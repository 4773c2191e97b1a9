/**
 * Names for the server's JSON. Shapes, units and limits are documented in the server's OpenAPI document.
 */

export type Standing = 'waiting' | 'active' | 'suspended';
export type Visibility = 'open' | 'social' | 'closed';
export type HandRaising = 'everyone' | 'followed' | 'off';
export type Role = 'moderator' | 'speaker' | 'listener';
export type InviteStatus = 'pending' | 'accepted' | 'revoked' | 'expired' | 'given_back';
export type Moderation =
  | 'invite_to_stage'
  | 'cancel_invitation'
  | 'mute'
  | 'move_back'
  | 'make_moderator'
  | 'remove'
  | 'ban';
export type LeftWhy = 'left' | 'moved_device' | 'removed' | 'banned' | 'ended' | 'lost_connection';

export interface Problem {
  type: string;
  title: string;
  status: number;
  code: string;
  detail?: string | null;
  field?: string | null;
  retry_after?: number | null;
  request_id?: string | null;
}

export interface CodeSent {
  expires_in_s: number;
  resend_after_s: number;
}
export interface Tokens {
  access_token: string;
  access_expires_in_s: number;
  refresh_token: string;
}
export interface SignedIn {
  tokens: Tokens;
  me: Me;
}
export interface Device {
  id: string;
  name: string;
  created_at_ms: number;
  seen_at_ms: number;
  current: boolean;
}

export interface Ticket {
  number: number;
  ahead: number;
}
export interface PersonBrief {
  id: string;
  name: string;
  handle?: string | null;
  headline?: string;
}
export interface Profile {
  id: string;
  handle?: string | null;
  name: string;
  headline: string;
  company: string;
  bio: string;
  topics: string[];
  languages: string[];
  links: string[];
  offering: string;
  looking_for: string;
  invited_by?: PersonBrief | null;
}
export interface Me {
  id: string;
  standing: Standing;
  ticket?: Ticket | null;
  profile: Profile;
  invites_left: number;
  shown_as_inviter: boolean;
  room?: string | null;
  notice_seq: number;
  notices_read: number;
}
export interface ProfileView {
  profile: Profile;
  followed: boolean;
  follows_you: boolean;
  followers: number;
  following: number;
}
export type ProfilePatch = Partial<Omit<Profile, 'id' | 'handle' | 'invited_by'>> & { shown_as_inviter?: boolean };

export interface Invite {
  id: string;
  status: InviteStatus;
  phone_hint?: string | null;
  link?: string | null;
  created_at_ms: number;
  expires_at_ms: number;
  accepted_by?: PersonBrief | null;
}
export interface Invites {
  invites: Invite[];
  left: number;
}
export interface InvitePreview {
  status: InviteStatus;
  by?: PersonBrief | null;
}

export interface RoomCard {
  id: string;
  title: string;
  topics: string[];
  language?: string | null;
  visibility: Visibility;
  stage: PersonBrief[];
  stage_count: number;
  audience_count: number;
  followed: boolean;
  started_at_ms: number;
}
export interface StageMember {
  person: PersonBrief;
  role: Role;
  number: number;
  muted: boolean;
  away: boolean;
}
export interface Hand {
  person: PersonBrief;
  raised_at_ms: number;
}
export interface AudienceMember {
  person: PersonBrief;
  followed: boolean;
  followed_by_stage: boolean;
  hand: boolean;
}
export interface RoomSnapshot {
  id: string;
  seq: number;
  title: string;
  topics: string[];
  language?: string | null;
  visibility: Visibility;
  hand_raising: HandRaising;
  stage: StageMember[];
  hands: Hand[];
  hand_count: number;
  my_hand?: number | null;
  invited_to_stage: boolean;
  my_role?: Role | null;
  audience_count: number;
  started_at_ms: number;
  ended: boolean;
}
export interface CreateRoom {
  title: string;
  topics?: string[];
  language?: string | null;
  visibility?: Visibility;
  hand_raising?: HandRaising;
}
export type RoomPatch = Partial<Pick<CreateRoom, 'title' | 'topics' | 'visibility' | 'hand_raising'>>;
export interface Joined {
  session: string;
  sdp: string;
  room: RoomSnapshot;
  resume_token: string;
  resumed: boolean;
}
export interface RoomAck {
  pending: boolean;
  hand?: number | null;
}

export interface Page<Item> {
  items: Item[];
  next_cursor?: string | null;
}

export type NoticeKind =
  | { kind: 'admitted' }
  | { kind: 'invite_accepted'; person: PersonBrief }
  | { kind: 'stage_invitation' | 'pinged' | 'room_started'; room: string; title: string; by: PersonBrief }
  | { kind: 'new_follower'; person: PersonBrief };
export interface Notice {
  seq: number;
  at_ms: number;
  what: NoticeKind;
}

export type RoomChange =
  | { change: 'settings'; title: string; topics: string[]; visibility: Visibility; hand_raising: HandRaising }
  | { change: 'stage'; member: StageMember }
  | { change: 'unstaged'; person: PersonBrief }
  | { change: 'hand_up'; hand?: Hand | null; hand_count: number }
  | { change: 'hand_down'; person?: PersonBrief | null; hand_count: number; declined?: boolean }
  | { change: 'stage_invitation'; invited: boolean; by?: PersonBrief | null }
  | { change: 'audience'; audience_count: number }
  | { change: 'ended' }
  | { change: 'nothing' };

export type ClientMessage =
  | { type: 'hello'; token: string; notices_after: number }
  | { type: 'token'; token: string }
  | { type: 'watch'; room: string; after?: number | null }
  | { type: 'unwatch'; room: string }
  | { type: 'ping' };

export type ServerMessage =
  | { type: 'welcome'; socket: string; me: Me }
  | { type: 'me'; me: Me }
  | { type: 'ticket'; ticket: Ticket }
  | { type: 'notice'; notice: Notice }
  | { type: 'room_snapshot'; room: RoomSnapshot }
  | { type: 'room'; room: string; seq: number; change: RoomChange }
  | { type: 'left_room'; room: string; why: LeftWhy }
  | { type: 'hallway' }
  | { type: 'pong' }
  | { type: 'problem'; problem: Problem }
  | { type: 'moving'; after_ms: number };
