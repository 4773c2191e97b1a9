/** Made by `npm run types` from the OpenAPI document. Do not edit. */

export type paths = Record<string, never>;
export type webhooks = Record<string, never>;
export interface components {
    schemas: {
        /** @description Somebody in the audience. */
        AudienceMember: {
            /** @description The caller follows them; these come first. */
            followed: boolean;
            /** @description Followed by somebody on stage. */
            followed_by_stage: boolean;
            /** @description Their hand is up. */
            hand: boolean;
            /** @description Who. */
            person: components["schemas"]["PersonBrief"];
        };
        /** @description From the client. */
        ClientMessage: {
            /**
             * Format: int64
             * @description The newest notice this client has.
             */
            notices_after?: number;
            /** @description Access token. */
            token: string;
            /** @enum {string} */
            type: "hello";
        } | {
            /** @description Access token. */
            token: string;
            /** @enum {string} */
            type: "token";
        } | {
            /**
             * Format: int64
             * @description The last delta the client has; absent: a snapshot.
             */
            after?: number | null;
            /** @description The room. */
            room: string;
            /** @enum {string} */
            type: "watch";
        } | {
            /** @description The room. */
            room: string;
            /** @enum {string} */
            type: "unwatch";
        } | {
            /** @enum {string} */
            type: "ping";
        };
        /** @description Asks for a one-time code. The answer is the same whether the number has an account or not. */
        CodeRequest: {
            /** @description The phone number in E.164 (`+4915112345678`); spaces and hyphens are tolerated. */
            phone: string;
        };
        /** @description A code is on its way. */
        CodeSent: {
            /**
             * Format: int64
             * @description The code is good for so long.
             */
            expires_in_s: number;
            /**
             * Format: int64
             * @description A new one may be asked for after so long (it grows with each).
             */
            resend_after_s: number;
        };
        /** @description Opens a room; its creator is the first moderator. Send an `Idempotency-Key`. */
        CreateRoom: {
            /** @description Who may raise a hand. */
            hand_raising?: components["schemas"]["HandRaising"];
            /** @description A BCP 47 tag. */
            language?: string | null;
            /** @description 1 to 60 characters. */
            title: string;
            /** @description At most 3, each at most 30 characters. */
            topics?: string[];
            /** @description Who may enter. */
            visibility?: components["schemas"]["Visibility"];
        };
        /** @description A signed-in device. */
        Device: {
            /**
             * Format: int64
             * @description First sign-in, milliseconds since 1970.
             */
            created_at_ms: number;
            /** @description The device that asks. */
            current: boolean;
            /** @description For revoking it. */
            id: string;
            /** @description What it called itself. */
            name: string;
            /**
             * Format: int64
             * @description Last refresh, milliseconds since 1970.
             */
            seen_at_ms: number;
        };
        /** @description All devices of the account. */
        Devices: {
            /** @description Newest first; at most 10. */
            devices: components["schemas"]["Device"][];
        };
        /** @description A raised hand. */
        Hand: {
            /** @description Whose. */
            person: components["schemas"]["PersonBrief"];
            /**
             * Format: int64
             * @description When, milliseconds since 1970.
             */
            raised_at_ms: number;
        };
        /** @description Answers a raised hand. */
        HandAnswer: {
            /** @description Invite on stage; otherwise the hand goes down. */
            accept: boolean;
        };
        /** @description Chooses or changes the handle. */
        HandleRequest: {
            /** @description 3 to 20 of `a-z 0-9 _`, starting with a letter; case is folded. */
            handle: string;
        };
        /**
         * @description Who may raise a hand.
         * @enum {string}
         */
        HandRaising: "everyone" | "followed" | "off";
        /** @description An ICE restart of a live session: same PeerConnection, same association. */
        IceRestart: {
            /** @description The new offer. */
            sdp: string;
        };
        /** @description The answer to an ICE restart. */
        IceRestarted: {
            /** @description The SDP answer. */
            sdp: string;
        };
        /** @description An invite, as its giver sees it. */
        Invite: {
            accepted_by?: components["schemas"]["PersonBrief"] | null;
            /**
             * Format: int64
             * @description Milliseconds since 1970.
             */
            created_at_ms: number;
            /**
             * Format: int64
             * @description Milliseconds since 1970.
             */
            expires_at_ms: number;
            /** @description Opaque. */
            id: string;
            /** @description The link's path (`/i/<code>`), while it is pending; absent for numbers. */
            link?: string | null;
            /** @description The last digits of the number (`+49 ... 678`), for the inviter to recognise it; absent for links. */
            phone_hint?: string | null;
            /** @description Where it stands. */
            status: components["schemas"]["InviteStatus"];
        };
        /** @description What the holder of a link sees before signing up. */
        InvitePreview: {
            by?: components["schemas"]["PersonBrief"] | null;
            /** @description Whether it can still be accepted. */
            status: components["schemas"]["InviteStatus"];
        };
        /** @description Creates an invite; costs one of the quota. Send an `Idempotency-Key`. */
        InviteRequest: {
            /** @description E.164. */
            phone: string;
            /** @enum {string} */
            to: "phone";
        } | {
            /** @enum {string} */
            to: "link";
        };
        /** @description All invites of the caller, newest first, and what is left. */
        Invites: {
            /** @description Newest first; at most 200. */
            invites: components["schemas"]["Invite"][];
            /**
             * Format: int32
             * @description Left to give.
             */
            left: number;
        };
        /**
         * @description `pending -> accepted | revoked | expired`.
         * @enum {string}
         */
        InviteStatus: "pending" | "accepted" | "revoked" | "expired" | "given_back";
        /** @description The answer to a join. */
        Joined: {
            /** @description Single use; a join answers with a new one. */
            resume_token: string;
            /** @description The caller came back to their place within the grace time. */
            resumed: boolean;
            /** @description The room as of now. */
            room: components["schemas"]["RoomSnapshot"];
            /** @description The SDP answer. */
            sdp: string;
            /** @description This media session, for ICE restarts and leaving. */
            session: string;
        };
        /**
         * @description Joins in one request: the offer has one `sendonly` audio m-line (microphone, no track needed yet) and 3 `recvonly`
         *     ones (slots; a 4th is allowed). Nothing is renegotiated afterwards.
         */
        JoinRequest: {
            /** @description From the last join of this device, to come back to the same place, role and hand. */
            resume_token?: string | null;
            /** @description The SDP offer; at most 32 KiB. */
            sdp: string;
            /** @description Where the live socket of this device is attached, if it is (`welcome.socket`): deltas go there from now on. */
            socket?: string | null;
        };
        /**
         * @description Why somebody is out of a room.
         * @enum {string}
         */
        LeftWhy: "left" | "moved_device" | "removed" | "banned" | "ended" | "lost_connection";
        /** @description The caller's own account. */
        Me: {
            /** @description Opaque. */
            id: string;
            /**
             * Format: int32
             * @description Invites left to give.
             */
            invites_left: number;
            /**
             * Format: int64
             * @description Sequence of the newest notice.
             */
            notice_seq: number;
            /**
             * Format: int64
             * @description Up to here notices were read.
             */
            notices_read: number;
            /** @description The profile as others see it. */
            profile: components["schemas"]["Profile"];
            /** @description The room that this account is in, on whatever device. */
            room?: string | null;
            /** @description Whether "invited by" shows this person's name to those they invited. */
            shown_as_inviter: boolean;
            /** @description Waiting, active or suspended. */
            standing: components["schemas"]["Standing"];
            ticket?: components["schemas"]["Ticket"] | null;
        };
        /** @description Moderates one person. */
        ModerateRequest: {
            /** @description What to do. */
            action: components["schemas"]["Moderation"];
        };
        /**
         * @description What a moderator does to somebody.
         * @enum {string}
         */
        Moderation: "invite_to_stage" | "cancel_invitation" | "mute" | "move_back" | "make_moderator" | "remove" | "ban";
        /** @description Mutes or unmutes oneself. */
        MuteRequest: {
            /** @description The microphone is to be off. */
            muted: boolean;
        };
        /** @description Something the person is told, in-app. */
        Notice: {
            /**
             * Format: int64
             * @description When, milliseconds since 1970.
             */
            at_ms: number;
            /**
             * Format: int64
             * @description Per person, counting up; a socket says where it was and gets the rest.
             */
            seq: number;
            /** @description What happened. */
            what: components["schemas"]["NoticeKind"];
        };
        /** @description What a notice tells. */
        NoticeKind: {
            /** @enum {string} */
            kind: "admitted";
        } | {
            /** @enum {string} */
            kind: "invite_accepted";
            /** @description Who came. */
            person: components["schemas"]["PersonBrief"];
        } | {
            /** @description Who asks. */
            by: components["schemas"]["PersonBrief"];
            /** @enum {string} */
            kind: "stage_invitation";
            /** @description The room. */
            room: string;
            /** @description Its title. */
            title: string;
        } | {
            /** @description Who asks. */
            by: components["schemas"]["PersonBrief"];
            /** @enum {string} */
            kind: "pinged";
            /** @description The room. */
            room: string;
            /** @description Its title. */
            title: string;
        } | {
            /** @description Who started it. */
            by: components["schemas"]["PersonBrief"];
            /** @enum {string} */
            kind: "room_started";
            /** @description The room. */
            room: string;
            /** @description Its title. */
            title: string;
        } | {
            /** @enum {string} */
            kind: "new_follower";
            /** @description Who. */
            person: components["schemas"]["PersonBrief"];
        };
        /** @description Marks notices as read. */
        NoticesRead: {
            /**
             * Format: int64
             * @description This one and all before it.
             */
            up_to: number;
        };
        /** @description One page of a list that may be long. */
        Page_AudienceMember: {
            /** @description At most the asked-for number of items, in the list's documented order. */
            items: {
                /** @description The caller follows them; these come first. */
                followed: boolean;
                /** @description Followed by somebody on stage. */
                followed_by_stage: boolean;
                /** @description Their hand is up. */
                hand: boolean;
                /** @description Who. */
                person: components["schemas"]["PersonBrief"];
            }[];
            /** @description Pass as `cursor` for the next page; absent on the last one. */
            next_cursor?: string | null;
        };
        /** @description One page of a list that may be long. */
        Page_Notice: {
            /** @description At most the asked-for number of items, in the list's documented order. */
            items: {
                /**
                 * Format: int64
                 * @description When, milliseconds since 1970.
                 */
                at_ms: number;
                /**
                 * Format: int64
                 * @description Per person, counting up; a socket says where it was and gets the rest.
                 */
                seq: number;
                /** @description What happened. */
                what: components["schemas"]["NoticeKind"];
            }[];
            /** @description Pass as `cursor` for the next page; absent on the last one. */
            next_cursor?: string | null;
        };
        /** @description One page of a list that may be long. */
        Page_PersonBrief: {
            /** @description At most the asked-for number of items, in the list's documented order. */
            items: {
                /** @description Unique handle. */
                handle?: string | null;
                /** @description One line: what they do. */
                headline?: string;
                /** @description Opaque. */
                id: string;
                /** @description Display name. */
                name: string;
            }[];
            /** @description Pass as `cursor` for the next page; absent on the last one. */
            next_cursor?: string | null;
        };
        /** @description One page of a list that may be long. */
        Page_RoomCard: {
            /** @description At most the asked-for number of items, in the list's documented order. */
            items: {
                /**
                 * Format: int32
                 * @description People in the audience.
                 */
                audience_count: number;
                /** @description Somebody whom the caller follows is on stage. */
                followed: boolean;
                /** @description Opaque. */
                id: string;
                /** @description BCP 47 tag. */
                language?: string | null;
                /** @description Up to 5 people on stage, moderators first. */
                stage: components["schemas"]["PersonBrief"][];
                /**
                 * Format: int32
                 * @description People on stage.
                 */
                stage_count: number;
                /**
                 * Format: int64
                 * @description Milliseconds since 1970.
                 */
                started_at_ms: number;
                /** @description Title. */
                title: string;
                /** @description Topics. */
                topics: string[];
                /** @description Who may enter. */
                visibility: components["schemas"]["Visibility"];
            }[];
            /** @description Pass as `cursor` for the next page; absent on the last one. */
            next_cursor?: string | null;
        };
        /** @description Enough to show somebody in a list. */
        PersonBrief: {
            /** @description Unique handle. */
            handle?: string | null;
            /** @description One line: what they do. */
            headline?: string;
            /** @description Opaque. */
            id: string;
            /** @description Display name. */
            name: string;
        };
        /** @description `application/problem+json` (RFC 9457). */
        Problem: {
            /**
             * @description Stable, for programs: `invite_quota_used_up`.
             * @enum {string}
             */
            code: "malformed_json" | "bad_request" | "token_missing" | "token_invalid" | "token_expired" | "origin_refused" | "not_found" | "method_not_allowed" | "request_too_slow" | "conflict" | "gone" | "body_too_large" | "unsupported_media_type" | "unprocessable" | "idempotency_key_invalid" | "rate_limited" | "internal" | "overloaded" | "store_unavailable" | "starting" | "timed_out" | "phone_invalid" | "code_rate_limited" | "code_wrong" | "code_expired" | "code_tries_used_up" | "refresh_invalid" | "refresh_reused" | "device_not_found" | "not_active" | "suspended" | "handle_taken" | "handle_invalid" | "person_not_found" | "following_too_many" | "not_yourself" | "cursor_invalid" | "invite_quota_used_up" | "invite_not_found" | "invite_not_pending" | "invites_too_many" | "invites_not_yet" | "already_active" | "room_not_found" | "room_ended" | "room_banned" | "room_closed" | "room_social" | "sdp_invalid" | "session_not_found" | "not_in_room" | "moderators_only" | "hands_off" | "hands_followed_only" | "hands_full" | "hand_not_up" | "already_on_stage" | "not_on_stage" | "not_invited" | "stage_full" | "invitations_full" | "bans_full" | "pings_full" | "not_a_contact" | "resume_refused" | "resume_invalid" | "no_home" | "too_many";
            /** @description What is wrong in this request and what to do about it. */
            detail?: string | null;
            /** @description The field at fault, as a JSON pointer. */
            field?: string | null;
            /** @description The request's id, to quote to operators. */
            request_id?: string | null;
            /**
             * Format: int64
             * @description Whole seconds after which the same request may succeed; also sent as `Retry-After`.
             */
            retry_after?: number | null;
            /**
             * Format: int32
             * @description The HTTP status.
             */
            status: number;
            /** @description A short sentence in the client's language (Accept-Language). */
            title: string;
            /** @description `https://mitalk.example/problems/<code>`; a name, nothing is served there. */
            type: string;
        };
        /** @description A person, as others see them. */
        Profile: {
            /** @description A few sentences. */
            bio: string;
            /** @description Company. */
            company: string;
            /** @description Unique, lower case; absent until chosen. */
            handle?: string | null;
            /** @description One line: what they do. */
            headline: string;
            /** @description Opaque. */
            id: string;
            invited_by?: components["schemas"]["PersonBrief"] | null;
            /** @description BCP 47 tags, at most 8. */
            languages: string[];
            /** @description `https` links, at most 5. */
            links: string[];
            /** @description What they look for. */
            looking_for: string;
            /** @description Display name. */
            name: string;
            /** @description What they offer. */
            offering: string;
            /** @description At most 10. */
            topics: string[];
        };
        /** @description Changes a profile; absent fields stay. */
        ProfilePatch: {
            /** @description At most 1,000 characters. */
            bio?: string | null;
            /** @description At most 60 characters. */
            company?: string | null;
            /** @description At most 100 characters. */
            headline?: string | null;
            /** @description BCP 47 tags, at most 8. */
            languages?: string[] | null;
            /** @description `https` links, at most 5, each at most 200 characters. */
            links?: string[] | null;
            /** @description At most 140 characters. */
            looking_for?: string | null;
            /** @description 1 to 50 characters. */
            name?: string | null;
            /** @description At most 140 characters. */
            offering?: string | null;
            /** @description Whether people one invited see by whom. */
            shown_as_inviter?: boolean | null;
            /** @description At most 10, each at most 30 characters. */
            topics?: string[] | null;
        };
        /** @description A profile together with how it relates to the caller. */
        ProfileView: {
            /** @description The caller follows them. */
            followed: boolean;
            /**
             * Format: int64
             * @description How many follow them.
             */
            followers: number;
            /**
             * Format: int64
             * @description How many they follow.
             */
            following: number;
            /** @description They follow the caller; with `followed`, a contact. */
            follows_you: boolean;
            /** @description The person. */
            profile: components["schemas"]["Profile"];
        };
        /** @description Rotates the refresh token. */
        RefreshRequest: {
            /** @description The newest refresh token of this device. */
            refresh_token: string;
        };
        /**
         * @description A person's role in a room.
         * @enum {string}
         */
        Role: "moderator" | "speaker" | "listener";
        /** @description How a command to a room ended. */
        RoomAck: {
            /**
             * Format: int32
             * @description The place of the raised hand, from 1.
             */
            hand?: number | null;
            /** @description It acts already, and will be stored when the store is back (only for what takes rights away). */
            pending: boolean;
        };
        /** @description A room in the hallway. */
        RoomCard: {
            /**
             * Format: int32
             * @description People in the audience.
             */
            audience_count: number;
            /** @description Somebody whom the caller follows is on stage. */
            followed: boolean;
            /** @description Opaque. */
            id: string;
            /** @description BCP 47 tag. */
            language?: string | null;
            /** @description Up to 5 people on stage, moderators first. */
            stage: components["schemas"]["PersonBrief"][];
            /**
             * Format: int32
             * @description People on stage.
             */
            stage_count: number;
            /**
             * Format: int64
             * @description Milliseconds since 1970.
             */
            started_at_ms: number;
            /** @description Title. */
            title: string;
            /** @description Topics. */
            topics: string[];
            /** @description Who may enter. */
            visibility: components["schemas"]["Visibility"];
        };
        /** @description One change of a room, addressed to one person: `my_*` fields and hands differ by who gets it. */
        RoomChange: {
            /** @enum {string} */
            change: "settings";
            /** @description Who may raise a hand. */
            hand_raising: components["schemas"]["HandRaising"];
            /** @description Title. */
            title: string;
            /** @description Topics. */
            topics: string[];
            /** @description Who may enter. */
            visibility: components["schemas"]["Visibility"];
        } | {
            /** @enum {string} */
            change: "stage";
            /** @description The member. */
            member: components["schemas"]["StageMember"];
        } | {
            /** @enum {string} */
            change: "unstaged";
            /** @description Who. */
            person: components["schemas"]["PersonBrief"];
        } | {
            /** @enum {string} */
            change: "hand_up";
            hand?: components["schemas"]["Hand"] | null;
            /**
             * Format: int32
             * @description Hands up now.
             */
            hand_count: number;
        } | {
            /** @enum {string} */
            change: "hand_down";
            /** @description A moderator declined it (only told to its owner). */
            declined?: boolean;
            /**
             * Format: int32
             * @description Hands up now.
             */
            hand_count: number;
            person?: components["schemas"]["PersonBrief"] | null;
        } | {
            by?: components["schemas"]["PersonBrief"] | null;
            /** @enum {string} */
            change: "stage_invitation";
            /** @description Asked now. */
            invited: boolean;
        } | {
            /**
             * Format: int32
             * @description People in the audience.
             */
            audience_count: number;
            /** @enum {string} */
            change: "audience";
        } | {
            /** @enum {string} */
            change: "ended";
        } | {
            /** @enum {string} */
            change: "nothing";
        };
        /** @description Changes a room's settings; absent fields stay. Moderators only. */
        RoomPatch: {
            hand_raising?: components["schemas"]["HandRaising"] | null;
            /** @description 1 to 60 characters. */
            title?: string | null;
            /** @description At most 3. */
            topics?: string[] | null;
            visibility?: components["schemas"]["Visibility"] | null;
        };
        /** @description The whole room, as of `seq`. */
        RoomSnapshot: {
            /**
             * Format: int32
             * @description People in the audience.
             */
            audience_count: number;
            /** @description The room is over. */
            ended: boolean;
            /**
             * Format: int32
             * @description All hands that are up.
             */
            hand_count: number;
            /** @description Who may raise a hand. */
            hand_raising: components["schemas"]["HandRaising"];
            /** @description In order of raising. Moderators get all (at most 500), others only their own. */
            hands: components["schemas"]["Hand"][];
            /** @description Opaque. */
            id: string;
            /** @description The caller was asked on stage and has not answered. */
            invited_to_stage: boolean;
            /** @description BCP 47 tag. */
            language?: string | null;
            /**
             * Format: int32
             * @description The caller's place in the queue, from 1; absent without a hand.
             */
            my_hand?: number | null;
            my_role?: components["schemas"]["Role"] | null;
            /**
             * Format: int64
             * @description Deltas after this one follow on the live socket.
             */
            seq: number;
            /** @description Moderators first, then in order of coming on stage; at most 50. */
            stage: components["schemas"]["StageMember"][];
            /**
             * Format: int64
             * @description Milliseconds since 1970.
             */
            started_at_ms: number;
            /** @description Title. */
            title: string;
            /** @description Topics. */
            topics: string[];
            /** @description Who may enter. */
            visibility: components["schemas"]["Visibility"];
        };
        /** @description From the server. */
        ServerMessage: {
            /** @description The account now. */
            me: components["schemas"]["Me"];
            /** @description This socket, for `JoinRequest::socket`. */
            socket: string;
            /** @enum {string} */
            type: "welcome";
        } | {
            /** @description The account now. */
            me: components["schemas"]["Me"];
            /** @enum {string} */
            type: "me";
        } | {
            /** @description The new place. */
            ticket: components["schemas"]["Ticket"];
            /** @enum {string} */
            type: "ticket";
        } | {
            /** @description It. */
            notice: components["schemas"]["Notice"];
            /** @enum {string} */
            type: "notice";
        } | {
            /** @description The room as this person sees it. */
            room: components["schemas"]["RoomSnapshot"];
            /** @enum {string} */
            type: "room_snapshot";
        } | {
            /** @description What changed. */
            change: components["schemas"]["RoomChange"];
            /** @description The room. */
            room: string;
            /**
             * Format: int64
             * @description One more than the delta before.
             */
            seq: number;
            /** @enum {string} */
            type: "room";
        } | {
            /** @description The room. */
            room: string;
            /** @enum {string} */
            type: "left_room";
            /** @description Why. */
            why: components["schemas"]["LeftWhy"];
        } | {
            /** @enum {string} */
            type: "hallway";
        } | {
            /** @enum {string} */
            type: "pong";
        } | {
            /** @description Why. */
            problem: components["schemas"]["Problem"];
            /** @enum {string} */
            type: "problem";
        } | {
            /**
             * Format: int64
             * @description Milliseconds, with jitter.
             */
            after_ms: number;
            /** @enum {string} */
            type: "moving";
        };
        /** @description The answer to a code that fits. */
        SignedIn: {
            /** @description The account. */
            me: components["schemas"]["Me"];
            /** @description The new device's tokens. */
            tokens: components["schemas"]["Tokens"];
        };
        /** @description Answers a stage invitation. */
        StageAnswer: {
            /** @description Come on stage, muted. */
            accept: boolean;
        };
        /** @description Somebody on stage. */
        StageMember: {
            /** @description Lost their network and has 30 s to come back. */
            away: boolean;
            /** @description Their microphone is off (by themselves or a moderator; they may unmute). */
            muted: boolean;
            /**
             * Format: int32
             * @description The CSRC of their audio; never reused in a room.
             */
            number: number;
            /** @description Who. */
            person: components["schemas"]["PersonBrief"];
            /** @description `moderator` or `speaker`. */
            role: components["schemas"]["Role"];
        };
        /**
         * @description Where an account stands.
         * @enum {string}
         */
        Standing: "waiting" | "active" | "suspended";
        /** @description A place in the waitlist. */
        Ticket: {
            /**
             * Format: int64
             * @description People ahead; only ever falls within a session.
             */
            ahead: number;
            /**
             * Format: int64
             * @description In order of arrival.
             */
            number: number;
        };
        /** @description Access and refresh token of one device. */
        Tokens: {
            /**
             * Format: int64
             * @description Ask for a new one shortly before.
             */
            access_expires_in_s: number;
            /** @description A JWT for `Authorization: Bearer` and the live socket's first message. */
            access_token: string;
            /** @description Single use: each refresh returns a new one; using an old one again signs the device out. */
            refresh_token: string;
        };
        /** @description Trades a code for tokens; a first sign-in creates the account. */
        VerifyRequest: {
            /** @description Six digits. */
            code: string;
            /** @description What the devices page shows, e.g. `Pixel 9, Chrome`; at most 60 characters. */
            device_name?: string | null;
            /** @description The code of an invite link that brought the person here. */
            invite?: string | null;
            /** @description The number that the code was sent to. */
            phone: string;
        };
        /**
         * @description Who may enter.
         * @enum {string}
         */
        Visibility: "open" | "social" | "closed";
    };
    responses: never;
    parameters: never;
    requestBodies: never;
    headers: never;
    pathItems: never;
}
export type $defs = Record<string, never>;
export type operations = Record<string, never>;
