//! One round of what people and operators do. Everything answered goes into the ledger.

use std::time::Instant;

use anyhow::{Context, Result, bail, ensure};
use mitalk::client::Client;
use mitalk::wire::admin::{Admit, AllowEntry, Phase};
use mitalk::wire::auth::{SignedIn, VerifyRequest};
use mitalk::wire::invites::InviteRequest;
use mitalk::wire::people::Standing;
use mitalk::wire::rooms::CreateRoom;
use mitalk_actors::testing::number_text;
use mitalk_tests::push::Browser;
use tokio::time::sleep;

use crate::check::{Invited, Person};
use crate::world::{LOOK_AGAIN, PATIENCE, World};

/// Looks for a code that was answered for before another one is asked for: it may have died with the process.
const LOOKS_FOR_A_CODE: usize = 40;
/// Sign-in attempts before the run fails: more than a run can lose by kills.
const SIGN_INS: usize = 20;

/// Somebody of a round and how they come in.
#[derive(Clone, Copy)]
enum Who {
    /// On the allow-list; gives invites.
    Employee,
    /// Invited by number.
    Invited,
    /// Comes by a link.
    ByLink,
    /// Waits, and is admitted by number.
    Named,
    /// Waits, and is admitted as the next one.
    Next,
}

/// A signed-in person.
struct Account {
    user: String,
    token: String,
}

/// Sign-ups by all ways, two invites and a third that is refused, a handle, a follow and a room.
pub(crate) async fn round(world: &mut World, round: usize) -> Result<()> {
    let phone = |who: Who| number_text((round * 10 + who as usize) as u32);
    world
        .insist("phase", async |to| to.admin.set_phase(Phase::ClosedTest).await)
        .await?;
    let entry = AllowEntry {
        phone: phone(Who::Employee),
        enabled: true,
    };
    world
        .insist("allow-list", async |to| {
            to.admin.import_allowed(vec![entry.clone()]).await
        })
        .await?;
    world.ledger.allowed += 1;

    let employee = sign_up(world, &phone(Who::Employee)).await?;
    becomes_active(world, &employee).await?;
    subscribe(world, &employee, round).await?;
    let link = give_invites(world, &employee, round, &phone(Who::Invited)).await?;
    choose_handle(world, &employee, round).await?;

    reads_of_the_invite(world, &phone(Who::Invited)).await?;
    let invited = sign_up(world, &phone(Who::Invited)).await?;
    becomes_active(world, &invited).await?;
    follow(world, &invited, &employee).await?;

    let by_link = sign_up(world, &phone(Who::ByLink)).await?;
    accept(world, &by_link, &link).await?;

    let named = sign_up(world, &phone(Who::Named)).await?;
    admit(world, Admit::Phone(phone(Who::Named)), &format!("named-{round}")).await?;
    becomes_active(world, &named).await?;

    let next = sign_up(world, &phone(Who::Next)).await?;
    waits_alone(world, &next).await?;
    admit(world, Admit::Count(1), &format!("next-{round}")).await?;
    world.ledger.called += 1;
    becomes_active(world, &next).await?;
    open_room(world, &next, round).await?;

    let people = [
        (&employee, Who::Employee),
        (&invited, Who::Invited),
        (&by_link, Who::ByLink),
    ];
    for (account, who) in people
        .into_iter()
        .chain([(&named, Who::Named), (&next, Who::Next)])
    {
        world.ledger.people.push(Person {
            user: account.user.clone(),
            token: account.token.clone(),
            phone: phone(who),
            waited: match who {
                Who::Employee => Some(false),
                // The invite may reach the account before or after its owner looks.
                Who::Invited => None,
                Who::ByLink | Who::Named | Who::Next => Some(true),
            },
            invited_by_text: matches!(who, Who::Invited),
        });
    }
    world.ledger.invites.push(Invited {
        by: employee.user.clone(),
        token: employee.token.clone(),
        accepted_by: [invited.user, by_link.user],
    });
    Ok(())
}

/// Asks for a code, reads it and trades it in, as often as it takes: a code, or the answer to it, may die with the
/// process, and a code is never sent twice.
async fn sign_up(world: &mut World, phone: &str) -> Result<Account> {
    let mut used = 0;
    for _ in 0..SIGN_INS {
        if let Err(problem) = world
            .ask("code", async |to| to.app.send_code(phone).await)
            .await?
        {
            ensure!(problem.code == "code_rate_limited", "code: refused: {problem:?}");
        }
        let Some(code) = newest_code(world, phone, &mut used).await? else {
            continue;
        };
        let request = VerifyRequest {
            phone: phone.into(),
            code,
            device_name: Some("crash test".into()),
            invite: None,
        };
        match world
            .ask("verify", async |to| to.app.verify(&request).await)
            .await?
        {
            Ok(SignedIn { tokens, me }) => {
                return Ok(Account {
                    user: me.id,
                    token: tokens.access_token,
                });
            }
            // The first attempt may have been carried out without an answer: that used the code up.
            Err(problem) => ensure!(problem.status == 401, "verify: refused: {problem:?}"),
        }
    }
    bail!("{phone} could not sign in with {SIGN_INS} codes");
}

async fn newest_code(world: &World, phone: &str, used: &mut usize) -> Result<Option<String>> {
    for _ in 0..LOOKS_FOR_A_CODE {
        let mut codes = world.texts.codes(phone)?;
        if codes.len() > *used {
            *used = codes.len();
            return Ok(codes.pop());
        }
        sleep(LOOK_AGAIN).await;
    }
    Ok(None)
}

/// Tickets are given and taken back behind the answers: "the next one" is exact only when nobody else waits.
async fn waits_alone(world: &mut World, account: &Account) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let me = world
            .insist("me", async |to| as_of(&to.app, account).me().await)
            .await?;
        let waitlist = world
            .insist("waitlist", async |to| to.admin.waitlist().await)
            .await?;
        if me.ticket.is_some() && waitlist.waiting == 1 {
            return Ok(());
        }
        sleep(LOOK_AGAIN).await;
    }
    bail!("{} should wait, alone", account.user);
}

/// The invited person comes because of the text: who is in before it goes out gets none.
async fn reads_of_the_invite(world: &mut World, phone: &str) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        if world.texts.delivered(phone, "invited")? > 0 {
            return Ok(());
        }
        // A question also starts a server again that died meanwhile.
        world.insist("phase", async |to| to.admin.phase().await).await?;
        sleep(LOOK_AGAIN).await;
    }
    bail!("no text of the invite");
}

async fn becomes_active(world: &mut World, account: &Account) -> Result<()> {
    let begun = Instant::now();
    while begun.elapsed() < PATIENCE {
        let me = world
            .insist("me", async |to| as_of(&to.app, account).me().await)
            .await?;
        ensure!(me.id == account.user, "the account is another one");
        match me.standing {
            Standing::Active => return Ok(()),
            Standing::Waiting => sleep(LOOK_AGAIN).await,
            Standing::Suspended | Standing::Deleted => {
                bail!("nobody suspended or deleted {}", account.user)
            }
        }
    }
    bail!("{} still waits", account.user);
}

/// Two invites, each asked for twice with one key; a third is refused. Gives the link's code.
async fn give_invites(world: &mut World, by: &Account, round: usize, phone: &str) -> Result<String> {
    let by_number = InviteRequest::Phone { phone: phone.into() };
    let mut given = Vec::new();
    for (request, key) in [
        (by_number, format!("number-{round}")),
        (InviteRequest::Link, format!("link-{round}")),
    ] {
        let give = async |to: &Client| to.invite(&request, &key).await;
        let first = world
            .insist("invite", async |to| give(&as_of(&to.app, by)).await)
            .await?;
        let again = world
            .insist("invite again", async |to| give(&as_of(&to.app, by)).await)
            .await?;
        ensure!(first.id == again.id, "one key gave two invites");
        given.push(first);
    }
    let third = world.ask("third invite", async |to| {
        as_of(&to.app, by)
            .invite(&InviteRequest::Link, &format!("third-{round}"))
            .await
    });
    match third.await? {
        Err(problem) if problem.code == "invite_quota_used_up" => {}
        other => bail!("a third invite of two: {other:?}"),
    }
    let link = given[1].link.as_deref().context("a link invite has its link")?;
    Ok(link.rsplit("/i/").next().unwrap_or(link).to_owned())
}

/// Comes in by a link. Who already came in by it, without hearing so, is told that they are in.
async fn accept(world: &mut World, account: &Account, link: &str) -> Result<()> {
    match world
        .ask("accept", async |to| {
            as_of(&to.app, account).accept_invite(link).await
        })
        .await?
    {
        Ok(me) => ensure!(me.standing == Standing::Active, "accepted, but {:?}", me.standing),
        Err(problem) => ensure!(problem.code == "already_active", "accept: refused: {problem:?}"),
    }
    becomes_active(world, account).await
}

/// Their device is pushed to.
async fn subscribe(world: &mut World, account: &Account, round: usize) -> Result<()> {
    let key = world
        .insist("push key", async |to| to.app.push_key().await)
        .await?
        .key;
    let (name, browser) = (format!("device{round}"), Browser::default());
    let subscription = browser.subscription(&world.push.endpoint(&name), &key);
    world
        .insist("subscribe", async |to| {
            as_of(&to.app, account).subscribe(&subscription).await
        })
        .await?;
    world.ledger.pushed.push((name, browser));
    Ok(())
}

async fn choose_handle(world: &mut World, account: &Account, round: usize) -> Result<()> {
    let handle = format!("person{round}");
    world
        .insist("handle", async |to| {
            as_of(&to.app, account).set_handle(&handle).await
        })
        .await?;
    world.ledger.handles.push((handle, account.user.clone()));
    Ok(())
}

async fn follow(world: &mut World, follower: &Account, followee: &Account) -> Result<()> {
    world
        .insist("follow", async |to| {
            as_of(&to.app, follower).follow(&followee.user).await
        })
        .await?;
    world
        .ledger
        .followed
        .push((followee.user.clone(), follower.token.clone()));
    Ok(())
}

async fn admit(world: &mut World, whom: Admit, key: &str) -> Result<()> {
    world
        .insist("admit", async |to| to.admin.admit(&whom, key).await)
        .await?;
    world
        .insist("admit again", async |to| to.admin.admit(&whom, key).await)
        .await
}

/// A room that nobody joins: it ends by its timers.
async fn open_room(world: &mut World, by: &Account, round: usize) -> Result<()> {
    let request = CreateRoom {
        title: format!("Room {round}"),
        topics: vec!["crashes".into()],
        language: None,
        visibility: Default::default(),
        hand_raising: Default::default(),
    };
    let key = format!("room-{round}");
    let open = async |to: &Client| to.create_room(&request, &key).await;
    let first = world
        .insist("room", async |to| open(&as_of(&to.app, by)).await)
        .await?;
    world.ledger.rooms.push((first.id, by.token.clone()));
    Ok(())
}

fn as_of(app: &Client, account: &Account) -> Client {
    app.signed_in(&account.token)
}
