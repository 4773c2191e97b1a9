//! The actors under a supervisor, by what they serve.
//!
//! An actor that was let go lives until it has really ended, and its successor may be at work by then: what it says or
//! how it ends must not be taken for the successor's. Every supervisor of this node asks here.

use std::collections::HashMap;
use std::hash::Hash;

use ractor::ActorId;

/// At most one current actor for each key, and those on their way out.
pub(super) struct Children<K, C> {
    current: HashMap<K, (ActorId, C)>,
    /// All that have not ended.
    alive: HashMap<ActorId, K>,
}

impl<K: Clone + Eq + Hash, C> Default for Children<K, C> {
    fn default() -> Self {
        Self {
            current: HashMap::new(),
            alive: HashMap::new(),
        }
    }
}

impl<K: Clone + Eq + Hash, C> Children<K, C> {
    /// `actor` serves `key` from now on.
    pub(super) fn insert(&mut self, key: K, actor: ActorId, child: C) {
        self.alive.insert(actor, key.clone());
        self.current.insert(key, (actor, child));
    }

    pub(super) fn contains(&self, key: &K) -> bool {
        self.current.contains_key(key)
    }

    pub(super) fn get(&self, key: &K) -> Option<&C> {
        self.current.get(key).map(|(_, child)| child)
    }

    pub(super) fn get_mut(&mut self, key: &K) -> Option<&mut C> {
        self.current.get_mut(key).map(|(_, child)| child)
    }

    /// Whether `actor` serves `key`, and is not a former one.
    pub(super) fn is_current(&self, key: &K, actor: ActorId) -> bool {
        self.current.get(key).is_some_and(|(of, _)| *of == actor)
    }

    /// Lets the actor of `key` go; who stops it knows it by what is returned.
    pub(super) fn let_go(&mut self, key: &K) -> Option<C> {
        self.current.remove(key).map(|(_, child)| child)
    }

    /// An actor has ended: what it served, if it was not let go before.
    pub(super) fn ended(&mut self, actor: ActorId) -> Option<(K, C)> {
        let key = self.alive.remove(&actor)?;
        if !self.is_current(&key, actor) {
            return None;
        }
        let child = self.let_go(&key)?;
        Some((key, child))
    }

    /// Whether every actor has ended, those that were let go included.
    pub(super) fn is_empty(&self) -> bool {
        self.alive.is_empty()
    }

    /// How many keys are served.
    pub(super) fn len(&self) -> usize {
        self.current.len()
    }

    pub(super) fn iter_mut(&mut self) -> impl Iterator<Item = &mut C> {
        self.current.values_mut().map(|(_, child)| child)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OLD: ActorId = ActorId::Local(1);
    const NEW: ActorId = ActorId::Local(2);

    #[test]
    fn the_end_of_a_former_actor_is_not_its_successors() {
        let mut children = Children::default();
        children.insert("a", OLD, "old");
        assert_eq!(children.let_go(&"a"), Some("old"));
        assert!(!children.is_empty(), "it has not ended");
        children.insert("a", NEW, "new");
        assert!(children.is_current(&"a", NEW) && !children.is_current(&"a", OLD));
        assert_eq!(children.ended(OLD), None);
        assert_eq!(children.get(&"a"), Some(&"new"));
        assert_eq!(children.ended(NEW), Some(("a", "new")));
        assert_eq!(children.ended(NEW), None);
        assert!(children.is_empty());
    }
}
