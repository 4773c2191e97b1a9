//! The suite of [`AllowList`].

use crate::number::PhoneKey;
use crate::ports::{AllowEntry, AllowList};
use mitalk_cluster::testing::contract::ask;

/// Numbers in one import: an operator's whole company.
const MANY: u16 = 1_000;

/// The whole suite, over an empty store.
pub async fn allow_list(list: &impl AllowList) {
    assert_eq!(ask(async || list.count().await).await, (0, 0));
    assert_eq!(ask(async || list.find(&phone(1)).await).await, None);

    import(list, &[entry(1, true), entry(2, false)]).await;
    assert_eq!(
        ask(async || list.find(&phone(1)).await).await,
        Some(entry(1, true))
    );
    assert_eq!(
        ask(async || list.find(&phone(2)).await).await,
        Some(entry(2, false)),
        "registered, not enabled"
    );
    assert_eq!(
        ask(async || list.find(&phone(3)).await).await,
        None,
        "not registered"
    );
    assert_eq!(ask(async || list.count().await).await, (2, 1));

    import(list, &[entry(2, false), entry(1, false), entry(2, true)]).await;
    assert_eq!(
        ask(async || list.find(&phone(1)).await).await,
        Some(entry(1, false)),
        "disabled again"
    );
    assert_eq!(
        ask(async || list.find(&phone(2)).await).await,
        Some(entry(2, true)),
        "the last of equals counts"
    );
    assert_eq!(ask(async || list.count().await).await, (2, 1));

    // Not asserted: whether it was there. A repeat after a lost answer finds it gone.
    ask(async || list.remove(&phone(1)).await).await;
    assert_eq!(ask(async || list.find(&phone(1)).await).await, None);
    assert!(
        !ask(async || list.remove(&phone(1)).await).await,
        "it was not registered any more"
    );
    assert_eq!(ask(async || list.count().await).await, (1, 1));

    let many: Vec<AllowEntry> = (10..10 + MANY).map(|n| entry(n, true)).collect();
    import(list, &many).await;
    import(list, &[]).await;
    let all = u64::from(MANY) + 1;
    assert_eq!(ask(async || list.count().await).await, (all, all));
}

fn phone(n: u16) -> PhoneKey {
    let mut hash = [0; 32];
    hash[..2].copy_from_slice(&n.to_be_bytes());
    PhoneKey::from_hash(&hash)
}

fn entry(n: u16, enabled: bool) -> AllowEntry {
    AllowEntry {
        phone: phone(n),
        enabled,
    }
}

async fn import(list: &impl AllowList, entries: &[AllowEntry]) {
    ask(async || list.import(entries).await).await;
}
