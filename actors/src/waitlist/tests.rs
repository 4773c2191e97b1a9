//! The three entities of the waitlist and the accounts together, over deliveries that repeat, also late.

use super::block::{self, Block};
use super::ticket::Ticket;
use super::*;
use crate::id::Home;
use crate::testing::pure::Model;
use crate::testing::{number, secrets};
use crate::user::{self, User};
use mitalk_cluster::{Target, wire};
use proptest::prelude::*;
use rand::rngs::StdRng;
use rand::seq::SliceRandom as _;
use rand::{Rng, SeedableRng};
use std::collections::{BTreeMap, HashMap, HashSet};

fn user(n: u128) -> UserId {
    UserId::new(Home::default(), n)
}

/// As if all from there on were one commit's.
fn cover(rows: &mut Vec<Outgoing>, from: usize) {
    let (mut first, mut at) = (HashMap::<Target, usize>::new(), from);
    while at < rows.len() {
        match first.get(&rows[at].target) {
            Some(earlier) if rows[at].covers => rows[*earlier] = rows.remove(at),
            _ => {
                if rows[at].covers {
                    first.insert(rows[at].target.clone(), at);
                }
                at += 1;
            }
        }
    }
}

/// The first of the rows, with those that may leave beside it.
fn run<'a>(rows: &'a [Outgoing], side_by_side: &[&str], most: usize) -> &'a [Outgoing] {
    let mut targets = HashSet::new();
    let together = rows.iter().take(most);
    let together =
        together.take_while(|row| side_by_side.contains(&row.target.name()) && targets.insert(&row.target));
    &rows[..together.count().max(1).min(rows.len())]
}

/// Entities of all four types and the rows between them.
struct World {
    rng: StdRng,
    waitlist: Model<Waitlist>,
    blocks: BTreeMap<String, Model<Block>>,
    tickets: BTreeMap<String, Model<Ticket>>,
    users: BTreeMap<String, Model<User>>,
    /// How many rows of each entity were delivered.
    published: BTreeMap<(&'static str, String), usize>,
    /// Copies that arrive at any later time.
    late: Vec<Outgoing>,
}

impl World {
    fn new(seed: u64) -> Self {
        Self {
            rng: StdRng::seed_from_u64(seed),
            waitlist: Model::new("aa"),
            blocks: BTreeMap::new(),
            tickets: BTreeMap::new(),
            users: BTreeMap::new(),
            published: BTreeMap::new(),
            late: vec![],
        }
    }

    fn sign_up(&mut self, n: u32) {
        let (secrets, number) = (secrets(), number(n));
        let sign_up = user::Command::SignUp {
            phone: secrets.phone_key(&number),
            sealed: secrets.seal_number(&number),
            hint: number.hint(),
            quota: 2,
            offered: vec![],
        };
        let key = user(u128::from(n)).to_string();
        let account = self.users.entry(key.clone()).or_insert_with(|| Model::new(&key));
        account.ask(sign_up).unwrap();
        account.ask(user::Command::Queue).unwrap();
    }

    /// Delivers one row, or a run, of every entity that has one, now and then twice, until nothing is left.
    fn settle(&mut self) {
        loop {
            let mut rows = self.next_rows();
            if rows.is_empty() && self.late.is_empty() {
                return;
            }
            rows.shuffle(&mut self.rng);
            for row in rows {
                if self.rng.random_bool(0.2) {
                    self.late.push(row.clone());
                }
                self.deliver(&row);
            }
            while !self.late.is_empty() && self.rng.random_bool(0.5) {
                let at = self.rng.random_range(0..self.late.len());
                let row = self.late.swap_remove(at);
                self.deliver(&row);
            }
        }
    }

    fn next_rows(&mut self) -> Vec<Outgoing> {
        let waitlist = std::iter::once((("waitlist", String::new()), &mut self.waitlist.sent));
        let blocks = self.blocks.iter_mut();
        let blocks = blocks.map(|(key, model)| (("block", key.clone()), &mut model.sent));
        let tickets = self.tickets.iter_mut();
        let tickets = tickets.map(|(key, model)| (("ticket", key.clone()), &mut model.sent));
        let users = self.users.iter_mut();
        let users = users.map(|(key, model)| (("user", key.clone()), &mut model.sent));
        let mut rows = vec![];
        for (source, sent) in waitlist.chain(blocks).chain(tickets).chain(users) {
            let side_by_side = match source.0 {
                "waitlist" => Waitlist::SIDE_BY_SIDE,
                "block" => Block::SIDE_BY_SIDE,
                _ => &[],
            };
            let published = self.published.entry(source).or_default();
            if self.rng.random() {
                cover(sent, *published);
            }
            let most = self.rng.random_range(1..8);
            let run = run(&sent[*published..], side_by_side, most);
            *published += run.len();
            rows.extend(run.to_vec());
        }
        rows
    }

    fn deliver(&mut self, row: &Outgoing) {
        let Target::Entity(id) = &row.target else { return };
        let (kind, key) = (id.kind.as_str(), id.key.to_string());
        if kind == Waitlist::KIND {
            self.waitlist.ask(wire::decode(&row.payload).unwrap()).unwrap();
        } else if kind == Block::KIND {
            let block = self.blocks.entry(key.clone()).or_insert_with(|| Model::new(&key));
            block.ask(wire::decode(&row.payload).unwrap()).unwrap();
        } else if kind == Ticket::KIND {
            let ticket = self
                .tickets
                .entry(key.clone())
                .or_insert_with(|| Model::new(&key));
            ticket.ask(wire::decode(&row.payload).unwrap()).unwrap();
        } else if kind == User::KIND {
            self.users
                .get_mut(&key)
                .unwrap()
                .ask(wire::decode(&row.payload).unwrap())
                .unwrap();
        }
    }

    fn summary(&mut self, n: u32) -> user::Summary {
        let account = self.users.get_mut(&user(u128::from(n)).to_string()).unwrap();
        match account.ask(user::Command::Read).unwrap() {
            user::Reply::Account(account) => *account,
            other => panic!("{other:?}"),
        }
    }

    fn active(&mut self, of: u32) -> Vec<u32> {
        (0..of)
            .filter(|n| self.summary(*n).standing == crate::person::Standing::Active)
            .collect()
    }

    /// Bits set in all blocks.
    fn waiting(&self) -> u32 {
        let bits = |model: &Model<Block>| {
            let rows = model.sent.iter().rev();
            let row = rows
                .clone()
                .find(|row| matches!(row.target, Target::Table(_)))
                .unwrap();
            match crate::tables::Change::read(&row.payload).unwrap() {
                crate::tables::Change::TicketBlock(row) => row.waiting,
                other => panic!("{other:?}"),
            }
        };
        self.blocks.values().map(bits).sum()
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(24))]

    /// Whoever signs up waits once; admitting N makes N of them active; nobody is lost, whatever is repeated.
    #[test]
    fn everybody_waits_once_and_is_called_once(
        seed: u64,
        people in 1..100u32,
        named in prop::collection::vec(0..100u32, 0..5),
        count in 0..150u64,
    ) {
        let mut world = World::new(seed);
        for n in 0..people {
            world.sign_up(n);
            if world.rng.random_bool(0.3) {
                world.settle();
            }
        }
        world.settle();
        prop_assert_eq!(world.waiting(), people, "a number given twice is crossed out");

        let mut active: Vec<u32> = named.into_iter().filter(|n| *n < people).collect();
        active.sort_unstable();
        active.dedup();
        for n in &active {
            let account = world.users.get_mut(&user(u128::from(*n)).to_string()).unwrap();
            account.ask(user::Command::Admit { how: user::Admitted::Operator }).unwrap();
        }
        world.settle();
        prop_assert_eq!(world.active(people), active.clone());
        prop_assert_eq!(world.waiting() as usize, people as usize - active.len());

        world.waitlist.ask(Command::AdmitNext { count }).unwrap();
        world.settle();
        let now = world.active(people).len() as u64;
        let expected = (active.len() as u64 + count).min(u64::from(people));
        prop_assert_eq!(now, expected, "exactly N more, or all");
        prop_assert_eq!(u64::from(world.waiting()), u64::from(people) - now);

        world.waitlist.ask(Command::Open { change: 1 }).unwrap();
        world.settle();
        prop_assert_eq!(world.active(people).len() as u32, people);
        prop_assert_eq!(world.waiting(), 0);
        prop_assert_eq!(world.waitlist.ask(Command::Show).unwrap().owed, 0);
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    /// Whoever was told to wait counts, also while their sign-up is on its way to the waitlist.
    #[test]
    fn admitting_n_admits_n_of_those_who_wait_and_of_those_on_their_way(
        seed: u64,
        here in 0..20u32,
        on_their_way in 0..20u32,
        count in 0..50u64,
    ) {
        let mut world = World::new(seed);
        for n in 0..here {
            world.sign_up(n);
        }
        world.settle();
        for n in here..here + on_their_way {
            world.sign_up(n);
        }
        world.waitlist.ask(Command::AdmitNext { count }).unwrap();
        world.settle();
        let all = here + on_their_way;
        prop_assert_eq!(world.active(all).len() as u64, count.min(u64::from(all)));
        prop_assert_eq!(world.waiting() as u64, u64::from(all).saturating_sub(count));
    }
}

/// Between the block's look and its answer.
#[test]
fn who_comes_while_a_call_finds_nobody_is_called() {
    let mut waitlist = Model::<Waitlist>::new("aa");
    waitlist.ask(Command::AdmitNext { count: 1 }).unwrap();
    waitlist.ask(Command::Take { user: user(1) }).unwrap();
    let found_nobody = |call| Command::Called {
        call,
        count: 0,
        empty: false,
    };
    let calls = |waitlist: &Model<Waitlist>| {
        let sent = waitlist.commands::<Block>().into_iter();
        sent.filter(|(_, command)| matches!(command, block::Command::Call { .. }))
            .count()
    };
    assert_eq!(calls(&waitlist), 1);
    waitlist.ask(found_nobody(1)).unwrap();
    assert_eq!(calls(&waitlist), 2);
    waitlist.ask(found_nobody(2)).unwrap();
    assert_eq!(calls(&waitlist), 2, "nobody came since");
}

#[test]
fn who_comes_long_after_an_admission_waits() {
    let mut world = World::new(1);
    world.sign_up(0);
    world.settle();
    world.waitlist.ask(Command::AdmitNext { count: 9 }).unwrap();
    world.settle();
    assert_eq!(
        world.waitlist.ask(Command::Show).unwrap().owed,
        8,
        "for late ones"
    );
    world.waitlist.advance(LATE_WITHIN);
    assert_eq!(world.waitlist.ask(Command::Show).unwrap().owed, 0);
    world.sign_up(1);
    world.settle();
    assert_eq!(world.active(2), [0]);
    world.waitlist.ask(Command::AdmitNext { count: 1 }).unwrap();
    world.settle();
    assert_eq!(world.active(2), [0, 1], "what was not used is not used up later");
}

/// One message for many: those of a commit are covered by its last.
#[test]
fn a_ticket_that_is_filled_fills_all_before_it() {
    let mut block = Model::<Block>::new("aa-0");
    for ticket in [1, 5, 3, 5] {
        block.ask(block::Command::FillTo { ticket }).unwrap();
    }
    block.ask(block::Command::Leave { ticket: 2 }).unwrap();
    for ticket in [2, 7] {
        block.ask(block::Command::FillTo { ticket }).unwrap();
    }
    block.ask(block::Command::Call { call: 1, count: 64 }).unwrap();
    let called: Vec<String> = block
        .commands::<Ticket>()
        .into_iter()
        .map(|(key, _)| key)
        .collect();
    assert_eq!(called, ["aa-1", "aa-3", "aa-4", "aa-5", "aa-6", "aa-7"]);
}

#[test]
fn a_walk_goes_over_block_after_block() {
    let mut waitlist = Model::<Waitlist>::new("aa");
    let mut block = Model::<Block>::new("aa-0");
    for ticket in 1..=BLOCK_TICKETS {
        block.ask(block::Command::Fill { ticket }).unwrap();
    }
    for n in 0..=BLOCK_TICKETS {
        waitlist
            .ask(Command::Take {
                user: user(u128::from(n)),
            })
            .unwrap();
    }
    waitlist
        .ask(Command::AdmitNext {
            count: BLOCK_TICKETS + 1,
        })
        .unwrap();
    let mut calls = 0;
    while let Some((key, block::Command::Call { call, count })) = waitlist
        .commands::<Block>()
        .into_iter()
        .rfind(|(_, command)| matches!(command, block::Command::Call { call, .. } if *call > calls))
    {
        calls = call;
        if key != "aa-0" {
            break;
        }
        block.ask(block::Command::Call { call, count }).unwrap();
        let answer = block.commands::<Waitlist>().pop().unwrap().1;
        waitlist.ask(answer.clone()).unwrap();
        waitlist.ask(answer).unwrap();
    }
    let list = waitlist.ask(Command::Show).unwrap();
    assert_eq!(
        (list.head, list.admitted, list.owed),
        (1, BLOCK_TICKETS, 1),
        "after {calls} calls"
    );
}

#[test]
fn a_rate_calls_as_many_as_it_says() {
    let mut waitlist = Model::<Waitlist>::new("aa");
    for n in 0..1_000 {
        waitlist.ask(Command::Take { user: user(n) }).unwrap();
    }
    waitlist.ask(Command::SetRate { per_hour: 360 }).unwrap();
    for _ in 0..3_600 {
        waitlist.advance(Duration::from_secs(1));
        waitlist.fire_timers();
    }
    assert_eq!(
        waitlist.ask(Command::Show).unwrap().owed,
        360,
        "nobody answered the first call"
    );
    waitlist.ask(Command::SetRate { per_hour: 0 }).unwrap();
    assert!(waitlist.timers().is_empty());
}

#[test]
fn a_phase_that_is_left_calls_nobody_else_whatever_is_repeated_late() {
    let mut waitlist = Model::<Waitlist>::new(Home::default().as_str());
    for n in 0..200 {
        let user = UserId::new(Home::default(), n);
        waitlist.ask(Command::Take { user }).unwrap();
    }
    waitlist.ask(Command::SetRate { per_hour: 360 }).unwrap();
    assert_eq!(waitlist.ask(Command::Open { change: 1 }).unwrap().owed, 200);
    let shut = false;
    waitlist.ask(Command::Hold { change: 2, shut }).unwrap();
    // The row of the first change, once more.
    waitlist.ask(Command::Open { change: 1 }).unwrap();
    waitlist.advance(Duration::from_secs(3600));
    waitlist.fire_timers();
    // The call that was under way has done its work.
    let (call, count, empty) = (1, 64, false);
    waitlist.ask(Command::Called { call, count, empty }).unwrap();
    let shown = waitlist.ask(Command::Show).unwrap();
    assert_eq!((shown.owed, shown.rate_per_hour), (0, 0));
    assert_eq!(
        waitlist
            .commands::<Block>()
            .iter()
            .filter(|(_, command)| { matches!(command, block::Command::Call { .. }) })
            .count(),
        1
    );
}
