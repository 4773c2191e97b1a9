//! The named places where the crash tests end the process.
//!
//! Every act that reaches beyond the process's memory (a commit, a publish, a delivery, a consumed event, a message
//! sent, a timer) is an [`Act`] with one point before and one after it. [`ALL`] is the one registry: the crash test
//! walks it, and a point that its script never reaches fails that test, so neither a dead point nor an act that nobody
//! exercises stays hidden. An act is a constant, so a name that is not registered does not compile.
//!
//! The acts stand in decorators around the ports ([`Pointed`]), so that `cluster` and `actors` know nothing of this.
//! Without the feature `failpoints` a point is an empty function; the feature is never built into an image.
//!
//! Deliberately missing: injected errors and delays. The failing wrappers of the contract suites do that better,
//! because they know what each call may answer.

mod actors;
mod cluster;

/// Something done to the world outside, with a point on either side. Made only by the registry below.
#[derive(Debug)]
pub struct Act {
    name: &'static str,
    before: &'static str,
    after: &'static str,
    about: &'static str,
}

impl Act {
    /// Dotted: part and act.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// Its two points, as configured in `FAILPOINTS`: the name with `.before` or `.after`.
    pub const fn points(&self) -> [&'static str; 2] {
        [self.before, self.after]
    }

    /// What it is, for the list that the crash test prints.
    pub const fn about(&self) -> &'static str {
        self.about
    }

    /// Nothing is done yet.
    #[inline]
    pub fn before(&self) {
        reach(self.before);
    }

    /// It is done, and nobody has been told.
    #[inline]
    pub fn after(&self) {
        reach(self.after);
    }

    /// Carries it out between its points.
    pub async fn around<T>(&self, act: impl Future<Output = T>) -> T {
        self.before();
        let done = act.await;
        self.after();
        done
    }
}

/// A port with the points around its acts; does and answers what the port does.
#[derive(Clone, Debug)]
pub struct Pointed<P>(pub P);

/// Reads the actions of the environment variable `FAILPOINTS`, as documented by the crate `fail`: with
/// `store.group.before=3*off->return` the process dies at the fourth passing. Called once, at the start of the process.
///
/// While it lives, further actions are taken from the file that `FAILPOINTS_FILE` names, in the same form, as often as
/// there is one; it is removed once they are armed. So a point can be armed when there is something to lose.
#[cfg(feature = "failpoints")]
pub fn arm() {
    // The scenario's guard clears all points when dropped: they stay armed as long as the process lives.
    std::mem::forget(fail::FailScenario::setup());
    if let Some(file) = std::env::var_os("FAILPOINTS_FILE") {
        std::thread::spawn(move || arm_from(file.as_ref()));
    }
}

/// How often the file is looked for.
#[cfg(feature = "failpoints")]
const LOOK: std::time::Duration = std::time::Duration::from_millis(5);

#[cfg(feature = "failpoints")]
#[allow(
    clippy::disallowed_methods,
    reason = "a thread of the crash test's own binary: nothing tells of a new file"
)]
fn arm_from(file: &std::path::Path) -> ! {
    loop {
        if let Ok(text) = std::fs::read_to_string(file) {
            for action in text.split(';') {
                let (point, action) = action.split_once('=').expect("an action is `point=what`");
                fail::cfg(point, action).expect("an action of the crate `fail`");
            }
            std::fs::remove_file(file).expect("the file was there");
        }
        std::thread::sleep(LOOK);
    }
}

/// Without the feature there is nothing to arm.
#[cfg(not(feature = "failpoints"))]
pub fn arm() {}

#[cfg(feature = "failpoints")]
fn reach(point: &str) {
    if fail::eval(point, |_| ()).is_some() {
        kill_self();
    }
}

#[cfg(not(feature = "failpoints"))]
#[inline]
fn reach(_point: &str) {}

/// SIGKILL and not `abort`: no handler, no destructor and no buffer gets a last word, as when the machine dies.
#[cfg(feature = "failpoints")]
fn kill_self() -> ! {
    loop {
        // SAFETY: two calls without pointers; the signal cannot be caught, so at most one more turn follows.
        unsafe { libc::kill(libc::getpid(), libc::SIGKILL) };
    }
}

macro_rules! registry {
    ($($constant:ident = $name:literal: $about:literal;)*) => {
        $(
            #[doc = $about]
            pub static $constant: Act = Act {
                name: $name,
                before: concat!($name, ".before"),
                after: concat!($name, ".after"),
                about: $about,
            };
        )*

        /// Every act there is, in the order of a command's way to the disk and out.
        pub static ALL: &[&Act] = &[$(&$constant),*];
    };
}

registry! {
    NODE = "lease.node": "A node's lease: a new incarnation, a renewal.";
    SHARD = "lease.shard": "A shard row: a claim with a raised epoch.";
    LIST = "lease.list": "A batch on a shard's open list.";
    ASK = "cluster.ask": "A command carried to its entity: a client's, a timer's or an outbox row's.";
    TIMERS = "timer.insert": "The timer rows that a commit needs, written before it.";
    FENCE = "entity.fence": "The fence of an activation that raises the epoch.";
    COMMIT = "entity.commit": "The commit of a batch of decisions.";
    PUBLISHED = "entity.published": "The note that outbox rows are delivered, which trims them.";
    GROUP = "store.group": "The transaction that carries the writes of many.";
    PUBLISH = "relay.publish": "An outbox row appended to a topic.";
    PROJECT = "relay.project": "An outbox row applied to a read table.";
    CONSUME = "consumer.poll": "Events of a topic handed to a consumer.";
    CONSUMED = "consumer.commit": "A consumer's note of the events that are dealt with.";
    DEAD_LETTER = "consumer.dead_letter": "An event that nobody can read, put aside.";
    SMS = "sms.send": "A text message given to the provider.";
    PUSH = "push.send": "A message given to a push service.";
    TIMERS_DUE = "timer.due": "Due timers read, to be delivered.";
    TIMERS_DONE = "timer.delete": "The rows of delivered timers removed.";
    LOW_WATER = "timer.low_water": "The hour from which timers are looked for moved on.";
    ALLOW = "operator.allow_list": "An operator's change of the allow-list.";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique() {
        let names: HashSet<_> = ALL.iter().map(|act| act.name()).collect();
        assert_eq!(names.len(), ALL.len());
    }
}
