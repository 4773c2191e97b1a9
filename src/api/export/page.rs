//! The readable page of an export: one file without scripts or links to anywhere, for light and dark, in the languages that
//! the service speaks. Everything that people wrote is escaped.

use super::super::language::Language;
use crate::wire::export::ExportedAccount;
use crate::wire::invites::InviteStatus;
use crate::wire::people::{Notice, NoticeKind, PersonBrief};
use std::fmt::Write as _;
use time::OffsetDateTime;

/// Of each long list; all of it is in `data.json`.
const SHOWN: usize = 500;

const STYLE: &str = "\
:root{color-scheme:light dark;--paper:#faf7f2;--ink:#221f1a;--line:#d9d2c6}
@media(prefers-color-scheme:dark){:root{--paper:#16171c;--ink:#ece9e3;--line:#3a3c45}}
body{margin:0 auto;max-width:44rem;padding:1.5rem;background:var(--paper);color:var(--ink);
font:1rem/1.5 system-ui,sans-serif;overflow-wrap:anywhere}
h2{margin-top:2.5rem;border-bottom:1px solid var(--line)}
dl{display:grid;grid-template-columns:minmax(8rem,max-content) 1fr;gap:.25rem 1.5rem}dd{margin:0;white-space:pre-wrap}
li{margin:.25rem 0}";

/// Words of the page.
struct Words {
    title: &'static str,
    lead: &'static str,
    more: &'static str,
    none: &'static str,
    profile: &'static str,
    name: &'static str,
    handle: &'static str,
    headline: &'static str,
    company: &'static str,
    bio: &'static str,
    topics: &'static str,
    languages: &'static str,
    links: &'static str,
    offering: &'static str,
    looking_for: &'static str,
    phone: &'static str,
    signed_up: &'static str,
    deletion: &'static str,
    shown_as_inviter: &'static str,
    yes: &'static str,
    no: &'static str,
    invited_by: &'static str,
    devices: &'static str,
    invites: &'static str,
    link: &'static str,
    statuses: [&'static str; 5],
    rooms: &'static str,
    following: &'static str,
    followers: &'static str,
    notices: &'static str,
    somebody: &'static str,
    admitted: &'static str,
    invite_accepted: &'static str,
    stage_invitation: &'static str,
    pinged: &'static str,
    room_started: &'static str,
    new_follower: &'static str,
}

const EN: Words = Words {
    title: "Your data on Mi Talk",
    lead: "Everything that Mi Talk keeps of you. The file data.json has the same for programs.",
    more: "The others are in data.json.",
    none: "None",
    profile: "Profile and settings",
    name: "Name",
    handle: "Handle",
    headline: "Headline",
    company: "Company",
    bio: "About you",
    topics: "Topics",
    languages: "Languages",
    links: "Links",
    offering: "Offering",
    looking_for: "Looking for",
    phone: "Phone number",
    signed_up: "Signed up",
    deletion: "To be deleted",
    shown_as_inviter: "Shown as the one who invited",
    yes: "Yes",
    no: "No",
    invited_by: "Invited by",
    devices: "Devices",
    invites: "Invites you gave",
    link: "Link",
    statuses: ["open", "accepted", "taken back", "expired", "given back"],
    rooms: "Live rooms you moderate",
    following: "People you follow",
    followers: "People who follow you",
    notices: "Notices",
    somebody: "Somebody",
    admitted: "You came in",
    invite_accepted: "accepted your invite",
    stage_invitation: "asked you on stage",
    pinged: "asked you into a room",
    room_started: "started a room",
    new_follower: "follows you",
};

const ZH: Words = Words {
    title: "您在 Mi Talk 上的数据",
    lead: "Mi Talk 保存的有关您的全部内容。data.json 文件以程序可读的形式包含相同内容。",
    more: "其余内容见 data.json。",
    none: "无",
    profile: "资料与设置",
    name: "姓名",
    handle: "用户名",
    headline: "一句话介绍",
    company: "公司",
    bio: "简介",
    topics: "话题",
    languages: "语言",
    links: "链接",
    offering: "可提供",
    looking_for: "正在寻找",
    phone: "手机号码",
    signed_up: "注册时间",
    deletion: "删除时间",
    shown_as_inviter: "向受邀者显示为邀请人",
    yes: "是",
    no: "否",
    invited_by: "邀请人",
    devices: "设备",
    invites: "您发出的邀请",
    link: "链接",
    statuses: ["未使用", "已接受", "已收回", "已过期", "已退回"],
    rooms: "您主持的进行中房间",
    following: "您关注的人",
    followers: "关注您的人",
    notices: "通知",
    somebody: "某人",
    admitted: "您已加入",
    invite_accepted: "接受了您的邀请",
    stage_invitation: "邀请您上台",
    pinged: "邀请您进入房间",
    room_started: "创建了房间",
    new_follower: "关注了您",
};

/// The lists as they go by, and then the page.
pub(super) struct Index {
    words: &'static Words,
    language: Language,
    following: Listed,
    followers: Listed,
    notices: Listed,
}

#[derive(Default)]
struct Listed {
    html: String,
    items: usize,
}

impl Listed {
    fn item(&mut self, html: impl FnOnce() -> String) {
        self.items += 1;
        if self.items <= SHOWN {
            self.html.push_str("<li>");
            self.html.push_str(&html());
        }
    }
}

impl Index {
    pub(super) fn new(language: Language) -> Self {
        let words = match language {
            Language::En => &EN,
            Language::Zh => &ZH,
        };
        Self {
            words,
            language,
            following: Listed::default(),
            followers: Listed::default(),
            notices: Listed::default(),
        }
    }

    pub(super) fn following(&mut self, person: &PersonBrief) {
        let words = self.words;
        self.following.item(|| shown(words, person));
    }

    pub(super) fn follower(&mut self, person: &PersonBrief) {
        let words = self.words;
        self.followers.item(|| shown(words, person));
    }

    pub(super) fn notice(&mut self, notice: &Notice) {
        let words = self.words;
        let told = |person, what| format!("{} {what}", shown(words, person));
        self.notices.item(|| {
            let text = match &notice.what {
                NoticeKind::Admitted => words.admitted.to_owned(),
                NoticeKind::InviteAccepted { person } => told(person, words.invite_accepted),
                NoticeKind::NewFollower { person } => told(person, words.new_follower),
                NoticeKind::StageInvitation { by, .. } => told(by, words.stage_invitation),
                NoticeKind::Pinged { by, .. } => told(by, words.pinged),
                NoticeKind::RoomStarted { by, .. } => told(by, words.room_started),
            };
            format!("{} · {text}", time(notice.at_ms))
        });
    }

    /// The whole page.
    pub(super) fn html(&self, account: &ExportedAccount) -> String {
        let words = self.words;
        let mut page = format!(
            "<!doctype html>\n<html lang=\"{}\">\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" \
             content=\"width=device-width\">\n<title>{}</title>\n<style>{STYLE}</style>\n<main>\n<h1>{}</h1>\n<p>{}</p>\n",
            self.language.tag(),
            words.title,
            words.title,
            words.lead
        );
        profile(&mut page, words, account);
        let devices = account.devices.iter().map(|device| {
            let name = escaped(&device.name);
            let push = device
                .push_service
                .as_deref()
                .map(|host| format!(" · {}", escaped(host)));
            format!(
                "<li>{name} · {}{}",
                time(device.seen_at_ms),
                push.unwrap_or_default()
            )
        });
        section(&mut page, words, words.devices, &devices.collect::<String>());
        let invites = account.invites.invites.iter().map(|invite| {
            let to = invite.phone_hint.as_deref().unwrap_or(words.link);
            let by = invite.accepted_by.as_ref().map(|person| shown(words, person));
            let status = words.statuses[status(invite.status)];
            let by = by.map(|by| format!(" · {by}")).unwrap_or_default();
            format!(
                "<li>{} · {status}{by} · {}",
                escaped(to),
                time(invite.created_at_ms)
            )
        });
        section(&mut page, words, words.invites, &invites.collect::<String>());
        let rooms = account.rooms.iter().map(|room| {
            let title = escaped(&room.title);
            format!("<li>{title} · {}", time(room.started_at_ms))
        });
        section(&mut page, words, words.rooms, &rooms.collect::<String>());
        for (heading, list) in [
            (words.following, &self.following),
            (words.followers, &self.followers),
            (words.notices, &self.notices),
        ] {
            let heading = format!("{heading} ({})", list.items);
            section(&mut page, words, &heading, &list.html);
            if list.items > SHOWN {
                let _ = writeln!(page, "<p>{}</p>", words.more);
            }
        }
        page.push_str("</main>\n</html>\n");
        page
    }
}

fn profile(page: &mut String, words: &Words, account: &ExportedAccount) {
    let (me, profile) = (&account.me, &account.me.profile);
    let yes_or_no = if me.shown_as_inviter { words.yes } else { words.no };
    let invited_by = profile.invited_by.as_ref().map(|person| person.name.clone());
    let facts = [
        (words.name, profile.name.clone()),
        (words.handle, profile.handle.clone().unwrap_or_default()),
        (words.phone, account.phone.clone()),
        (words.headline, profile.headline.clone()),
        (words.company, profile.company.clone()),
        (words.bio, profile.bio.clone()),
        (words.topics, profile.topics.join(", ")),
        (words.languages, profile.languages.join(", ")),
        (words.links, profile.links.join("\n")),
        (words.offering, profile.offering.clone()),
        (words.looking_for, profile.looking_for.clone()),
        (words.signed_up, time(account.created_at_ms)),
        (words.invited_by, invited_by.unwrap_or_default()),
        (words.shown_as_inviter, yes_or_no.to_owned()),
        (words.deletion, me.deletion_at_ms.map(time).unwrap_or_default()),
    ];
    let _ = write!(page, "<h2>{}</h2>\n<dl>\n", words.profile);
    for (name, value) in facts.iter().filter(|(_, value)| !value.is_empty()) {
        let _ = writeln!(page, "<dt>{name}<dd>{}", escaped(value));
    }
    page.push_str("</dl>\n");
}

fn section(page: &mut String, words: &Words, heading: &str, items: &str) {
    let _ = writeln!(page, "<h2>{heading}</h2>");
    let _ = match items {
        "" => writeln!(page, "<p>{}</p>", words.none),
        items => writeln!(page, "<ul>{items}</ul>"),
    };
}

fn shown(words: &Words, person: &PersonBrief) -> String {
    let name = match person.name.as_str() {
        "" => words.somebody,
        name => name,
    };
    let handle = person.handle.as_ref().map(|handle| format!(" (@{handle})"));
    escaped(&format!("{name}{}", handle.unwrap_or_default()))
}

fn status(status: InviteStatus) -> usize {
    match status {
        InviteStatus::Pending => 0,
        InviteStatus::Accepted => 1,
        InviteStatus::Revoked => 2,
        InviteStatus::Expired => 3,
        InviteStatus::GivenBack => 4,
    }
}

/// Text between tags; there are no attributes with people's words.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}

/// UTC, to the minute: the page is read without a program that knows where its reader is.
fn time(at_ms: u64) -> String {
    let seconds = i64::try_from(at_ms / 1_000).ok();
    let at = seconds.and_then(|seconds| OffsetDateTime::from_unix_timestamp(seconds).ok());
    at.map(|at| format!("{} {:02}:{:02} UTC", at.date(), at.hour(), at.minute()))
        .unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_shown_in_utc() {
        assert_eq!(time(0), "1970-01-01 00:00 UTC");
        assert_eq!(time(951_782_400_000), "2000-02-29 00:00 UTC");
        assert_eq!(time(1_800_000_000_000), "2027-01-15 08:00 UTC");
    }

    #[test]
    fn nothing_that_people_wrote_is_markup() {
        let person = PersonBrief {
            name: "<script>alert(1)</script> & co".to_owned(),
            ..PersonBrief::default()
        };
        let shown = shown(&EN, &person);
        assert_eq!(shown, "&lt;script&gt;alert(1)&lt;/script&gt; &amp; co");
    }

    #[test]
    fn long_lists_are_cut_and_say_so() {
        let mut list = Listed::default();
        for _ in 0..SHOWN + 1 {
            list.item(|| "x".to_owned());
        }
        assert_eq!(
            (list.items, list.html.matches("<li>").count()),
            (SHOWN + 1, SHOWN)
        );
    }
}
