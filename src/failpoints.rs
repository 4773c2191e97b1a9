//! The named places where the crash tests end the process.
//!
//! Every act that crosses from memory to something that outlives the process (a commit, a publish, a delivery, a
//! consumed event, a message sent, a timer) passes one point before and one after it. [`ALL`] is the one registry: the
//! crash test walks it, and a point that its script never reaches fails that test, so neither a dead point nor an act
//! nobody exercises stays hidden. A point is a constant, so a name that is not registered does not compile.
//!
//! Without the feature `failpoints` a point is an empty function; the feature is never built into an image.
//!
//! Deliberately missing: injected errors and delays. The failing wrappers of the contract suites do that better,
//! because they know what each call may answer.

/// One registered place. Made only by the registry below.
#[derive(Debug, PartialEq, Eq)]
pub struct Point {
    name: &'static str,
    about: &'static str,
}

impl Point {
    /// The name as configured in `FAILPOINTS`, dotted: part, act, `before` or `after`.
    pub const fn name(&self) -> &'static str {
        self.name
    }

    /// What has happened when the process dies here, and what must therefore hold after the restart.
    pub const fn about(&self) -> &'static str {
        self.about
    }

    /// Passes the point: ends the process with SIGKILL if [`arm`] found an action `return` for it, else does nothing.
    #[inline]
    pub fn reach(&self) {
        #[cfg(feature = "failpoints")]
        if fail::eval(self.name, |_| ()).is_some() {
            kill_self();
        }
    }
}

/// Reads the actions of the environment variable `FAILPOINTS`, as documented by the crate `fail`; for example
/// `store.group.before=3*off->return` dies at the fourth passing. Called once, at the very start of the process.
#[cfg(feature = "failpoints")]
pub fn arm() {
    // The scenario's guard clears all points when dropped: they stay armed as long as the process lives.
    std::mem::forget(fail::FailScenario::setup());
}

/// Without the feature there is nothing to arm.
#[cfg(not(feature = "failpoints"))]
pub fn arm() {}

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
            pub static $constant: Point = Point { name: $name, about: $about };
        )*

        /// Every point there is, in the order of a command's way to the disk and out.
        pub static ALL: &[&Point] = &[$(&$constant),*];
    };
}

registry! {
    GROUP_BEFORE = "store.group.before": "A group of writes has run, its transaction is not committed: none of them may be there.";
    GROUP_AFTER = "store.group.after": "A group is on the disk, nobody has been told: all of it is there, retries get the first answers.";
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn names_are_unique_and_say_the_side() {
        let names: HashSet<_> = ALL.iter().map(|point| point.name()).collect();
        assert_eq!(names.len(), ALL.len());
        for point in ALL {
            assert!(
                point.name().ends_with(".before") || point.name().ends_with(".after"),
                "{}",
                point.name()
            );
            assert!(point.about().ends_with('.'), "{}", point.name());
        }
    }
}
