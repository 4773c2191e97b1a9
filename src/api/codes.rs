//! Every problem code with its HTTP status and its titles: the one table behind all errors, over HTTP and on sockets.
//!
//! Invariants: a code keeps its meaning and its status for as long as `/v1` lives; a title says what happened, without
//! blame, and what to do where there is something to do. Errors of the domain find their row by
//! their stable code.

use super::language::Language;
use axum::http::StatusCode;

/// One row.
#[derive(Debug, PartialEq, Eq)]
pub struct Code {
    /// Stable, for programs.
    pub code: &'static str,
    /// HTTP status.
    pub status: StatusCode,
    /// English title.
    en: &'static str,
    /// Chinese title.
    zh: &'static str,
}

impl Code {
    /// The title in a language.
    pub fn title(&self, language: Language) -> &'static str {
        match language {
            Language::En => self.en,
            Language::Zh => self.zh,
        }
    }
}

macro_rules! table {
    ($($name:ident: $code:literal, $status:ident, $en:literal, $zh:literal;)*) => {
        $(
            #[doc = $en]
            pub const $name: &Code = &Code { code: $code, status: StatusCode::$status, en: $en, zh: $zh };
        )*
        /// Every row.
        pub const ALL: &[&Code] = &[$($name),*];
    };
}

table! {
    // what the request itself has wrong
    MALFORMED_JSON: "malformed_json", BAD_REQUEST, "The request is not valid JSON", "请求不是有效的 JSON";
    BAD_REQUEST: "bad_request", BAD_REQUEST, "The request cannot be understood", "无法理解该请求";
    TOKEN_MISSING: "token_missing", UNAUTHORIZED, "Sign in first", "请先登录";
    TOKEN_INVALID: "token_invalid", UNAUTHORIZED, "The access token is not valid", "访问令牌无效";
    TOKEN_EXPIRED: "token_expired", UNAUTHORIZED, "The access token has expired", "访问令牌已过期";
    SIGNATURE_INVALID: "signature_invalid", UNAUTHORIZED, "The signature or token does not fit", "签名或令牌不匹配";
    ORIGIN_REFUSED: "origin_refused", FORBIDDEN, "This web page may not connect here", "此网页不允许连接到这里";
    NOT_FOUND: "not_found", NOT_FOUND, "There is nothing at this address", "此地址没有内容";
    METHOD_NOT_ALLOWED: "method_not_allowed", METHOD_NOT_ALLOWED, "This address does not take that method",
        "此地址不支持该方法";
    REQUEST_TOO_SLOW: "request_too_slow", REQUEST_TIMEOUT, "The request arrived too slowly", "请求传输太慢";
    CONFLICT: "conflict", CONFLICT, "Something else changed it first", "它已先被其他操作更改";
    GONE: "gone", GONE, "It is no longer there", "它已不存在";
    BODY_TOO_LARGE: "body_too_large", PAYLOAD_TOO_LARGE, "The request is too large", "请求过大";
    UNSUPPORTED_MEDIA_TYPE: "unsupported_media_type", UNSUPPORTED_MEDIA_TYPE,
        "Send JSON, as application/json", "请以 application/json 发送 JSON";
    UNPROCESSABLE: "unprocessable", UNPROCESSABLE_ENTITY, "A field is not right", "某个字段不正确";
    IDEMPOTENCY_KEY_INVALID: "idempotency_key_invalid", UNPROCESSABLE_ENTITY,
        "The Idempotency-Key is not valid", "Idempotency-Key 无效";
    IDEMPOTENCY_KEY_REUSED: "idempotency_key_reused", UNPROCESSABLE_ENTITY,
        "This Idempotency-Key belongs to another request", "此 Idempotency-Key 属于另一个请求";
    RATE_LIMITED: "rate_limited", TOO_MANY_REQUESTS, "Too many requests; wait a moment", "请求过多，请稍候";

    // what the service has wrong
    INTERNAL: "internal", INTERNAL_SERVER_ERROR, "Something went wrong on our side", "我们这边出了点问题";
    OVERLOADED: "overloaded", SERVICE_UNAVAILABLE, "Too busy right now; try again shortly", "当前过于繁忙，请稍后再试";
    STORE_UNAVAILABLE: "store_unavailable", SERVICE_UNAVAILABLE, "Not available right now; try again shortly",
        "暂时不可用，请稍后再试";
    STARTING: "starting", SERVICE_UNAVAILABLE, "The service is starting or stopping; try again shortly",
        "服务正在启动或停止，请稍后再试";
    TIMED_OUT: "timed_out", GATEWAY_TIMEOUT, "It took too long; it may have been done all the same",
        "耗时过长；操作可能仍已完成";

    // signing in
    PHONE_INVALID: "phone_invalid", UNPROCESSABLE_ENTITY, "That is not a mobile number with its country code",
        "这不是带国家代码的手机号码";
    CODE_RATE_LIMITED: "code_rate_limited", TOO_MANY_REQUESTS, "Wait before asking for another code",
        "请稍候再获取新的验证码";
    CODE_WRONG: "code_wrong", UNAUTHORIZED, "That code does not fit", "验证码不正确";
    CODE_EXPIRED: "code_expired", UNAUTHORIZED, "That code has expired. Get a new one", "验证码已过期，请重新获取";
    CODE_TRIES_USED_UP: "code_tries_used_up", UNAUTHORIZED, "Too many tries. Get a new code",
        "尝试次数过多，请重新获取验证码";
    NUMBER_TAKEN: "number_taken", CONFLICT, "That number belongs to another account", "该号码属于另一个账号";
    REFRESH_INVALID: "refresh_invalid", UNAUTHORIZED, "This device is signed out. Sign in again",
        "此设备已退出登录，请重新登录";
    REFRESH_REUSED: "refresh_reused", UNAUTHORIZED, "An old token was used again, so this device was signed out",
        "旧令牌被再次使用，此设备已退出登录";
    DEVICE_NOT_FOUND: "device_not_found", NOT_FOUND, "There is no such device", "没有此设备";

    // accounts and people
    NOT_ACTIVE: "not_active", FORBIDDEN, "This opens once you are off the waitlist", "离开等候名单后即可使用";
    SUSPENDED: "suspended", FORBIDDEN, "This account is suspended", "此账号已被停用";
    HANDLE_TAKEN: "handle_taken", CONFLICT, "That handle is taken", "该用户名已被使用";
    HANDLE_INVALID: "handle_invalid", UNPROCESSABLE_ENTITY,
        "A handle has 3 to 20 letters, digits or underscores and starts with a letter",
        "用户名为 3 至 20 个字母、数字或下划线，并以字母开头";
    PERSON_NOT_FOUND: "person_not_found", NOT_FOUND, "There is no such person here", "没有此人";
    FOLLOWING_TOO_MANY: "following_too_many", CONFLICT, "You follow as many people as one may", "您关注的人数已达上限";
    NOT_YOURSELF: "not_yourself", CONFLICT, "This cannot be done to oneself", "不能对自己这样做";
    EXPORT_RATE_LIMITED: "export_rate_limited", TOO_MANY_REQUESTS, "You have taken your data along often today. Try tomorrow",
        "您今天已多次导出数据，请明天再试";
    CURSOR_INVALID: "cursor_invalid", UNPROCESSABLE_ENTITY, "The list has changed its pages. Start again",
        "列表分页已变化，请重新开始";

    // Web Push
    PUSH_OFF: "push_off", NOT_FOUND, "This service does not send push notifications", "此服务不发送推送通知";
    PUSH_KEY_CHANGED: "push_key_changed", CONFLICT, "The push key has changed. Subscribe again", "推送密钥已更换，请重新订阅";
    PUSH_ENDPOINT_REFUSED: "push_endpoint_refused", UNPROCESSABLE_ENTITY,
        "Push notifications cannot be sent to that browser", "无法向该浏览器发送推送通知";
    QUIET_HOURS_INVALID: "quiet_hours_invalid", UNPROCESSABLE_ENTITY,
        "Quiet hours begin and end at two different minutes of the day", "免打扰时段的开始和结束须为一天中不同的时刻";
    ZONE_UNKNOWN: "zone_unknown", UNPROCESSABLE_ENTITY, "There is no such time zone", "没有此时区";

    // the service's end
    SUNSET: "sunset", GONE, "Mi Talk has ended", "Mi Talk 已停止服务";
    SUNSET_PAST: "sunset_past", UNPROCESSABLE_ENTITY, "The sunset must be in the future", "停止服务的时间必须在将来";
    SUNSET_BEGUN: "sunset_begun", CONFLICT, "The sunset has come: the deletion has begun", "停止服务的时间已到，删除已经开始";

    // invites
    INVITE_QUOTA_USED_UP: "invite_quota_used_up", CONFLICT, "No invites are left", "邀请名额已用完";
    INVITE_NOT_FOUND: "invite_not_found", NOT_FOUND, "There is no such invite", "没有此邀请";
    INVITE_NOT_PENDING: "invite_not_pending", CONFLICT, "This invite is no longer open", "此邀请已失效";
    INVITES_TOO_MANY: "invites_too_many", CONFLICT, "Too many of your invites are open. Take one back first",
        "未接受的邀请过多，请先收回一个";
    NUMBER_INVITED_ENOUGH: "number_invited_enough", CONFLICT,
        "Enough people have invited this number already. Keep yours for somebody else",
        "已有足够多的人邀请了此号码，请把邀请留给他人";
    INVITES_NOT_YET: "invites_not_yet", CONFLICT, "Invites do not open the door yet. You keep yours",
        "邀请暂时还不能生效，您的邀请会保留";
    ALREADY_ACTIVE: "already_active", CONFLICT, "You are in already. Leave this invite to somebody else",
        "您已加入，请把此邀请留给他人";

    // rooms
    ROOMS_RATE_LIMITED: "rooms_rate_limited", TOO_MANY_REQUESTS, "You have opened many rooms lately. Wait a little",
        "您最近创建的房间过多，请稍后再试";
    ROOM_NOT_FOUND: "room_not_found", NOT_FOUND, "There is no such room", "没有此房间";
    ROOM_ENDED: "room_ended", GONE, "The room is over", "房间已结束";
    ROOM_BANNED: "room_banned", FORBIDDEN, "A moderator banned you from this room", "主持人已禁止您进入此房间";
    ROOM_CLOSED: "room_closed", FORBIDDEN, "This room is by invitation", "此房间仅限受邀者";
    ROOM_SOCIAL: "room_social", FORBIDDEN, "This room is for people who follow its moderators", "此房间仅限主持人的关注者";
    SDP_INVALID: "sdp_invalid", UNPROCESSABLE_ENTITY, "The audio offer cannot be used", "无法使用该音频请求";
    SESSION_NOT_FOUND: "session_not_found", NOT_FOUND, "The audio session is over. Join again", "音频会话已结束，请重新加入";
    NOT_IN_ROOM: "not_in_room", NOT_FOUND, "That person is not in the room", "此人不在房间内";
    MODERATORS_ONLY: "moderators_only", FORBIDDEN, "Only moderators may do this", "只有主持人可以这样做";
    HANDS_OFF: "hands_off", CONFLICT, "Raising hands is switched off here", "此房间已关闭举手";
    HANDS_FOLLOWED_ONLY: "hands_followed_only", CONFLICT, "Only people whom somebody on stage follows may raise a hand",
        "只有台上成员关注的人可以举手";
    HANDS_FULL: "hands_full", CONFLICT, "The queue of hands is full", "举手队列已满";
    HAND_NOT_UP: "hand_not_up", CONFLICT, "That hand is not up", "此人没有举手";
    ALREADY_ON_STAGE: "already_on_stage", CONFLICT, "Already on stage", "已在台上";
    NOT_ON_STAGE: "not_on_stage", CONFLICT, "Not on stage", "不在台上";
    NOT_INVITED: "not_invited", CONFLICT, "There is no invitation to the stage", "没有上台邀请";
    STAGE_FULL: "stage_full", CONFLICT, "The stage is full", "台上人数已满";
    INVITATIONS_FULL: "invitations_full", CONFLICT, "Too many stage invitations wait for an answer",
        "等待回应的上台邀请过多";
    BANS_FULL: "bans_full", CONFLICT, "As many people are banned as a room can remember", "此房间的禁止名单已满";
    PINGS_FULL: "pings_full", CONFLICT, "You have asked as many people into this room as one may",
        "您邀请进入此房间的人数已达上限";
    NOT_A_CONTACT: "not_a_contact", FORBIDDEN, "Only contacts can be asked in: people who follow each other",
        "只能邀请互相关注的人";
    RESUME_REFUSED: "resume_refused", FORBIDDEN, "You cannot come back to that place. Join anew",
        "无法回到原来的位置，请重新加入";
    RESUME_INVALID: "resume_invalid", UNPROCESSABLE_ENTITY, "The resume token is not for this room. Join anew",
        "恢复令牌不属于此房间，请重新加入";
    NO_HOME: "no_home", SERVICE_UNAVAILABLE, "The room is moving; try again shortly", "房间正在迁移，请稍后再试";

    // operators
    PHASE_EMPLOYEES: "phase_employees", CONFLICT,
        "In the phase employees only the allow-list comes in. Set the phase closed_test first",
        "employees 阶段仅允许白名单号码加入，请先将阶段设为 closed_test";
    TOO_MANY: "too_many", UNPROCESSABLE_ENTITY, "Too many at once", "一次提交的数量过多";
}

/// The row of a stable code.
pub fn find(code: &str) -> Option<&'static Code> {
    ALL.iter().copied().find(|row| row.code == code)
}

/// The row for a bare status: what a layer answered that knows no codes.
pub fn of_status(status: StatusCode) -> &'static Code {
    match status {
        StatusCode::UNAUTHORIZED => TOKEN_MISSING,
        StatusCode::NOT_FOUND => NOT_FOUND,
        StatusCode::METHOD_NOT_ALLOWED => METHOD_NOT_ALLOWED,
        StatusCode::REQUEST_TIMEOUT => REQUEST_TOO_SLOW,
        StatusCode::CONFLICT => CONFLICT,
        StatusCode::GONE => GONE,
        StatusCode::PAYLOAD_TOO_LARGE => BODY_TOO_LARGE,
        StatusCode::UNSUPPORTED_MEDIA_TYPE => UNSUPPORTED_MEDIA_TYPE,
        StatusCode::UNPROCESSABLE_ENTITY => UNPROCESSABLE,
        StatusCode::TOO_MANY_REQUESTS => RATE_LIMITED,
        StatusCode::SERVICE_UNAVAILABLE => OVERLOADED,
        StatusCode::GATEWAY_TIMEOUT => TIMED_OUT,
        status if status.is_client_error() => BAD_REQUEST,
        _ => INTERNAL,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeSet;

    /// What the domain's errors answer as their stable code, read from their source.
    fn domain_codes() -> Vec<&'static str> {
        let sources = [
            include_str!("../../actors/src/error.rs"),
            include_str!("../../actors/src/mitalk/account.rs"),
            include_str!("../../actors/src/mitalk/auth.rs"),
            include_str!("../../actors/src/mitalk/invites.rs"),
            include_str!("../../actors/src/mitalk/operator.rs"),
            include_str!("../../actors/src/mitalk/people.rs"),
            include_str!("../../actors/src/mitalk/push.rs"),
            include_str!("../../actors/src/room/command.rs"),
            include_str!("../../actors/src/rooms/error.rs"),
        ];
        let bodies = sources.iter().map(|source| {
            let (_, after) = source
                .split_once("pub fn code(&self) -> &'static str {")
                .expect("it has a code");
            after.split_once("\n    }").expect("the function ends").0
        });
        bodies
            .flat_map(|body| body.lines().filter_map(|line| line.trim().split('"').nth(1)))
            .collect()
    }

    #[test]
    fn every_code_of_the_domain_is_in_the_table() {
        let codes = domain_codes();
        assert!(codes.len() > 50, "{codes:?}");
        for code in codes {
            assert!(find(code).is_some(), "{code} is not in the table");
        }
    }

    #[test]
    fn codes_are_distinct_and_titles_are_in_both_languages() {
        let distinct: BTreeSet<_> = ALL.iter().map(|row| row.code).collect();
        assert_eq!(distinct.len(), ALL.len());
        for row in ALL {
            assert!(
                row.status.is_client_error() || row.status.is_server_error(),
                "{}",
                row.code
            );
            assert!(row.title(Language::En).is_ascii(), "{}", row.code);
            assert!(!row.title(Language::Zh).is_ascii(), "{}", row.code);
        }
    }
}
