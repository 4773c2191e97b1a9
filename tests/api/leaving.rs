//! Leaving: asking for the account's deletion, changing one's mind, taking one's data along, and another number, on each
//! kind of parts. What is left afterwards is the matter of `gone`.

use crate::offer::join;
use crate::rooms::titled;
use anyhow::{Context as _, Result};
use mitalk::wire::auth::NumberRequest;
use mitalk::wire::export::{EXPORT_VERSION, Export};
use mitalk::wire::invites::InviteRequest;
use mitalk::wire::people::{PersonBrief, ProfilePatch};
use mitalk_tests::over_each_kind_of_parts;
use mitalk_tests::parts::Parts;
use mitalk_tests::server::{Person, Server, code, until};
use reqwest::Method;
use reqwest::header::{ACCEPT_LANGUAGE, CACHE_CONTROL, CONTENT_TYPE};
use std::io::{Cursor, Read as _};

pub(super) const NUMBER: &str = "+4915198765432";
pub(super) const NAME: &str = "Zebulonia Quartermain";
pub(super) const TEXTS: [&str; 5] = [
    "paints lighthouses upside down",
    "Lighthouse keeper emerita",
    "Quartermain and Daughters",
    "an attic full of fresnel lenses",
    "Why foghorns hum",
];
pub(super) const HANDLE: &str = "zebu_quart";
/// Nobody waits for a second code.
pub(super) const AGAIN_AT_ONCE: &str = "limits.codes.resend_after_s=0";

over_each_kind_of_parts!(
    there_is_time_to_change_ones_mind,
    everybody_can_take_along_all_that_is_theirs,
    an_account_moves_to_another_number_and_the_old_one_is_free,
);

async fn there_is_time_to_change_ones_mind(parts: &Parts) -> Result<()> {
    let server = parts.open(&[AGAIN_AT_ONCE]).await?;
    let ann = server.person(NUMBER, NAME).await?;
    assert_eq!(ann.client.me().await?.deletion_at_ms, None);
    let me = ann.client.delete_account().await?;
    let at = me.deletion_at_ms.context("a date")?;
    let fortnight_ms = 14 * 24 * 60 * 60 * 1_000;
    let now_ms = u64::try_from(std::time::UNIX_EPOCH.elapsed()?.as_millis())?;
    assert!(at.abs_diff(now_ms + fortnight_ms) < 60_000, "{at}");
    assert_eq!(
        ann.client.delete_account().await?.deletion_at_ms,
        Some(at),
        "said again"
    );

    let again = server.sign_in(NUMBER).await?;
    assert_eq!(again.id, ann.id);
    assert_eq!(
        again.client.me().await?.deletion_at_ms,
        Some(at),
        "signing in alone keeps nothing"
    );
    let account = server.admin.account(NUMBER).await?;
    assert_eq!(account.me.deletion_at_ms, Some(at), "operators see it");
    assert_eq!(again.client.keep_account().await?.deletion_at_ms, None);
    assert_eq!(again.client.keep_account().await?.profile.name, NAME);
    assert_eq!(code(server.client.delete_account().await), "token_missing");
    server.stop().await?;
    Ok(())
}

async fn everybody_can_take_along_all_that_is_theirs(parts: &Parts) -> Result<()> {
    let server = parts
        .open(&[
            "limits.leaving.exports_per_day=2",
            "limits.notices.page=2",
            AGAIN_AT_ONCE,
        ])
        .await?;
    let ben = server.person("+4915112347701", "Ben <script>").await?;
    let ann = lives(&server, &ben).await?;
    let request = ann.client.request(Method::GET, &["v1", "me", "export"]);
    let response = request
        .header(ACCEPT_LANGUAGE, "zh")
        .send()
        .await?
        .error_for_status()?;
    assert_eq!(response.headers()[CACHE_CONTROL], "no-store");
    assert_eq!(response.headers()[CONTENT_TYPE], "application/zip");
    let archive = response.bytes().await?;
    let index = unpacked(&archive, "index.html")?;
    for (what, there) in [
        ("lang=\"zh\"", true),
        (NAME, true),
        (TEXTS[0], true),
        (NUMBER, true),
        (HANDLE, true),
    ]
    .into_iter()
    .chain([("Ben &lt;script&gt;", true), ("<script", false), ("http", false)])
    {
        assert_eq!(index.contains(what), there, "{what}: {index}");
    }
    let export: Export = serde_json::from_str(&unpacked(&archive, "data.json")?)?;
    let account = &export.account;
    assert_eq!(
        (account.version, account.phone.as_str()),
        (EXPORT_VERSION, NUMBER)
    );
    assert_eq!(account.me.profile.bio, TEXTS[0]);
    assert_eq!((account.devices.len(), account.invites.invites.len()), (2, 2));
    assert_eq!(
        account.rooms.first().map(|room| room.title.as_str()),
        Some(TEXTS[4])
    );
    let names = |people: &[PersonBrief]| people.iter().map(|person| person.id.clone()).collect::<Vec<_>>();
    assert_eq!(names(&export.following), [ben.id.as_str()]);
    assert_eq!(export.followers.len(), 2, "all pages");
    let seqs: Vec<_> = export.notices.iter().map(|notice| notice.seq).collect();
    assert_eq!(seqs, (1..=seqs.len() as u64).rev().collect::<Vec<_>>());
    assert_eq!(seqs.len() as u64, account.me.notice_seq);

    let again = unpacked(&ann.client.export().await?, "index.html")?;
    assert!(again.contains("Your data on Mi Talk"));
    assert_eq!(code(ann.client.export().await), "export_rate_limited");
    assert_eq!(code(server.client.export().await), "token_missing");
    server.stop().await?;
    Ok(())
}

fn unpacked(archive: &[u8], name: &str) -> Result<String> {
    let mut archive = zip::ZipArchive::new(Cursor::new(archive))?;
    let mut text = String::new();
    archive.by_name(name)?.read_to_string(&mut text)?;
    Ok(text)
}

/// Signs Ann up by her invite, and has her do all that leaves something behind.
pub(super) async fn lives(server: &Server, ben: &Person) -> Result<Person> {
    let ann = server.person(NUMBER, NAME).await?;
    let [bio, headline, company, offering, title] = TEXTS;
    let patch = ProfilePatch {
        bio: Some(bio.to_owned()),
        headline: Some(headline.to_owned()),
        company: Some(company.to_owned()),
        offering: Some(offering.to_owned()),
        ..ProfilePatch::default()
    };
    ann.client.patch_profile(&patch).await?;
    ann.client.set_handle(HANDLE).await?;
    let link = ann.client.invite(&InviteRequest::Link, "link").await?.link;
    let link = link
        .as_deref()
        .and_then(|link| link.strip_prefix("/i/"))
        .context("a link")?;
    let cy = server.sign_in_by("+4915112347703", Some(link)).await?;
    let other = InviteRequest::Phone {
        phone: "+4915112347704".to_owned(),
    };
    ann.client.invite(&other, "other").await?;
    until("Cy to show who invited him", async || {
        cy.client.me().await.ok()?.profile.invited_by
    })
    .await;
    for (one, another) in [(&ann, ben), (ben, &ann), (&cy, &ann)] {
        let follow = async || one.client.follow(&another.id).await.ok();
        until("one to follow another", follow).await;
    }
    until("the follows to be listed", async || {
        (ben.client.profile(&ann.id).await.ok()?.followers == 2).then_some(())
    })
    .await;
    let room = ann.client.create_room(&titled(title), "room").await?.id;
    ann.client.join(&room, &join()).await?;
    ann.client.ping_into(&room, &ben.id).await?;
    for person in [ben, &cy] {
        until("others to be told of the room", async || {
            let notices = person.client.notices(None, None).await.ok()?;
            let text = serde_json::to_string(&notices.items).ok()?;
            text.contains("room_started").then_some(())
        })
        .await;
    }
    // The device of her sign-up is not the only one, and she is on stage when her time comes.
    server.sign_in(NUMBER).await?;
    Ok(ann)
}

/// Another number, proven by a code as the one before is.
fn to_number(phone: &str, code: String, current_code: String) -> NumberRequest {
    NumberRequest {
        phone: phone.to_owned(),
        code,
        current_code,
    }
}

async fn an_account_moves_to_another_number_and_the_old_one_is_free(parts: &Parts) -> Result<()> {
    const OTHER: &str = "+4915198765433";
    let server = parts.open(&[AGAIN_AT_ONCE]).await?;
    let ann = server.person(NUMBER, NAME).await?;
    let ben = server.person("+4915112347701", "Ben").await?;

    let before = server.code(NUMBER).await?;
    ann.client.send_number_code(None).await?;
    let own = until("a code to the own number", async || {
        server.code(NUMBER).await.ok().filter(|code| *code != before)
    })
    .await;
    ann.client.send_number_code(Some(OTHER)).await?;
    let new = server.code(OTHER).await?;
    let wrong = to_number(OTHER, new.clone(), "000000".to_owned());
    assert_eq!(code(ann.client.change_number(&wrong).await), "code_wrong");
    let wrong = to_number(OTHER, "000000".to_owned(), own.clone());
    assert_eq!(code(ann.client.change_number(&wrong).await), "code_wrong");
    let me = ann.client.change_number(&to_number(OTHER, new, own)).await?;
    assert_eq!(
        me.id, ann.id,
        "the code of the old number was good for a second try"
    );

    until("operators to find her by the new number", async || {
        let account = server.admin.account(OTHER).await.ok()?;
        (account.me.id == ann.id && account.phone_hint.ends_with("433")).then_some(())
    })
    .await;
    assert_eq!(server.sign_in(OTHER).await?.id, ann.id);
    until("the old number to be free", async || {
        let account = server.admin.account(NUMBER).await;
        account.is_err().then_some(())
    })
    .await;
    let next = server.sign_in(NUMBER).await?;
    assert_ne!(next.id, ann.id, "whoever has it now is somebody else");
    assert_eq!(next.client.me().await?.profile.name, "");

    let own = server.code(OTHER).await?;
    ann.client.send_number_code(None).await?;
    let own = until("another code", async || {
        server.code(OTHER).await.ok().filter(|code| *code != own)
    })
    .await;
    let of_ben = server.code("+4915112347701").await?;
    ann.client.send_number_code(Some("+4915112347701")).await?;
    let of_ben = until("a code to Ben's number", async || {
        let code = server.code("+4915112347701").await.ok();
        code.filter(|code| *code != of_ben)
    })
    .await;
    let taken = to_number("+4915112347701", of_ben, own);
    assert_eq!(code(ann.client.change_number(&taken).await), "number_taken");
    assert_eq!(server.sign_in("+4915112347701").await?.id, ben.id);
    server.stop().await?;
    Ok(())
}
