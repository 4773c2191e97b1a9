//! What holds whatever happens.

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Ask(Command),
    Tell(Kind),
    Wait(u64),
}

fn step() -> impl Strategy<Value = Step> {
    let settings = (
        prop::sample::subsequence(Kind::ALL.to_vec(), 0..=2),
        any::<bool>(),
        0..1_440_u16,
    );
    let settings = settings.prop_map(|(off, is_quiet, from)| {
        let zone = "Europe/Rome".to_owned();
        let to = (from + 300) % 1_440;
        let quiet = is_quiet.then_some(Quiet { from, to, zone });
        let settings = Settings { off, quiet };
        Step::Ask(Command::SetNoticeSettings { settings })
    });
    prop_oneof![
        6 => prop::sample::select(Kind::ALL.to_vec()).prop_map(Step::Tell),
        6 => (0..5_000_u64).prop_map(Step::Wait),
        1 => (0..30_u64).prop_map(|up_to| Step::Ask(Command::ReadNotices { up_to })),
        1 => settings,
        1 => Just(Step::Ask(attach(1))),
        1 => (0..90_u64).prop_map(|s| Step::Ask(detach(SocketId::new(Home::default(), 1), Duration::from_secs(s)))),
        1 => (1..3_u128).prop_map(|n| Step::Ask(subscribe(n))),
        1 => Just(Step::Ask(Command::Unsubscribe { device: device(1), endpoint: None })),
        2 => (1..3_u128, 1..20_u64, 0..5_u64, 0..9_u32)
            .prop_map(|(n, from, more, tries)| Step::Ask(missed(n, (from, from + more), None, tries))),
    ]
}

/// What was pushed to all devices so far.
#[derive(Default)]
struct Seen {
    pushes: usize,
    up_to: u64,
    last: Option<Timestamp>,
}

impl Seen {
    /// Nothing that is due waits; of what was pushed since the last look, no notice is in two, none comes within quiet hours,
    /// and they keep their distance.
    fn look(&mut self, account: &Model<User>) {
        let now = account.now();
        let held = account.state.account.as_ref().unwrap();
        let pushes = pushes(account);
        for (from, up_to, device) in &pushes[self.pushes..] {
            assert_eq!(settings_of(account).awake(now), now, "nothing in quiet hours");
            if device.is_none() {
                assert!(from <= up_to && *up_to <= held.notice_seq);
                assert!(*from > self.up_to, "once");
                assert!(self.last.is_none_or(|last| now.since(last) >= COLLAPSE_URGENT));
                (self.up_to, self.last) = (*up_to, Some(now));
            }
        }
        self.pushes = pushes.len();
    }
}

proptest! {
    #[test]
    fn holds_over_any_history(steps in prop::collection::vec(step(), 0..60)) {
        let mut account = pushed_to();
        account.ask(open(2, 2)).unwrap();
        let mut seen = Seen::default();
        for step in steps {
            match step {
                Step::Tell(kind) => tell(&mut account, kind),
                Step::Ask(command) => drop(account.ask(command)),
                Step::Wait(seconds) => {
                    let until = account.now() + Duration::from_secs(seconds);
                    while next(&account).is_some_and(|due| due <= until) {
                        fire(&mut account);
                        seen.look(&account);
                        prop_assert!(next(&account).is_none_or(|due| due > account.now()), "a timer is settled");
                    }
                    let left = until.since(account.now());
                    account.advance(left);
                }
            }
            prop_assert!(next(&account).is_none_or(|due| due > account.now()), "what is due is pushed");
            seen.look(&account);
        }
    }
}

fn settings_of(account: &Model<User>) -> Settings {
    let mut copy = Model::<User>::new(&user(0).to_string());
    copy.state = account.state.clone();
    match copy.ask(Command::NoticeSettings) {
        Ok(Reply::NoticeSettings(settings)) => settings,
        other => panic!("{other:?}"),
    }
}
