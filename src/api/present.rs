//! From the domain's values to wire types: names and forms only, nothing is decided here.

mod invites;
mod live;
mod people;
mod push;
mod rooms;

use crate::wire::Page;

/// A page of the domain as a page on the wire.
pub(super) fn page<T, W: From<T>>(page: mitalk_actors::people::Page<T>) -> Page<W> {
    Page {
        items: page.items.into_iter().map(W::from).collect(),
        next_cursor: page.next,
    }
}
