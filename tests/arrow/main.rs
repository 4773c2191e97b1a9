//! Holds the one-way arrow of ARCHITECTURE.md: `loadtest, tests -> src -> actors -> {cluster, media}`.
//!
//! Asked of cargo itself, so that it stands in `make test` without another tool; `deny.toml` says the same for
//! third-party crates that come in by a detour.

use cargo_metadata::{DependencyKind, Metadata, MetadataCommand};
use std::collections::{BTreeMap, BTreeSet};

/// For each member: the members that its manifest may name (itself too, for features of its tests).
const ALLOWED: &[(&str, &[&str])] = &[
    ("mitalk-cluster", &[]),
    ("mitalk-media", &[]),
    ("mitalk-actors", &["mitalk-cluster", "mitalk-media"]),
    ("mitalk", &["mitalk-actors", "mitalk-cluster", "mitalk-media"]),
    ("mitalk-load", &["mitalk", "mitalk-media"]),
    (
        "mitalk-tests",
        &[
            "mitalk",
            "mitalk-actors",
            "mitalk-cluster",
            "mitalk-media",
            "mitalk-load",
        ],
    ),
];

/// Crates of the edge and of the stores, which only `src` (and the tests) may name.
const EDGE: &[&str] = &[
    "axum",
    "scylla",
    "rdkafka",
    "rusqlite",
    "reqwest",
    "tokio-tungstenite",
];
const BELOW_THE_EDGE: &[&str] = &["mitalk-cluster", "mitalk-media", "mitalk-actors"];

/// Words of the domain that the generic crates must not know as identifiers.
const DOMAIN_CRATES: &[&str] = &["phonenumber", "mitalk-actors"];
const GENERIC: &[&str] = &["mitalk-cluster", "mitalk-media"];

fn metadata() -> Metadata {
    MetadataCommand::new()
        .exec()
        .expect("cargo metadata of this workspace")
}

/// All packages that `root` reaches by normal and build dependencies.
fn reachable(metadata: &Metadata, root: &str) -> BTreeSet<String> {
    let resolve = metadata.resolve.as_ref().expect("a resolved graph");
    let names: BTreeMap<_, _> = metadata
        .packages
        .iter()
        .map(|p| (&p.id, p.name.to_string()))
        .collect();
    let nodes: BTreeMap<_, _> = resolve.nodes.iter().map(|n| (&n.id, n)).collect();
    let start = names
        .iter()
        .find(|(_, n)| *n == root)
        .map(|(id, _)| *id)
        .expect("a member of that name");
    let (mut seen, mut todo) = (BTreeSet::new(), vec![start]);
    while let Some(id) = todo.pop() {
        for dep in &nodes[id].deps {
            let shipped = dep
                .dep_kinds
                .iter()
                .any(|k| k.kind != DependencyKind::Development);
            if shipped && seen.insert(names[&dep.pkg].clone()) {
                todo.push(&dep.pkg);
            }
        }
    }
    seen
}

#[test]
fn members_name_only_what_the_arrow_lets_them() {
    let metadata = metadata();
    let members: BTreeSet<_> = metadata
        .workspace_packages()
        .iter()
        .map(|p| p.name.to_string())
        .collect();
    let listed: BTreeSet<_> = ALLOWED.iter().map(|(name, _)| name.to_string()).collect();
    assert_eq!(
        members, listed,
        "every member of the workspace has its place in the arrow"
    );
    for package in metadata.workspace_packages() {
        let allowed = ALLOWED.iter().find(|(name, _)| *name == package.name.as_str());
        let allowed = allowed.map_or(&[][..], |(_, allowed)| *allowed);
        let wrong: Vec<_> = package
            .dependencies
            .iter()
            .map(|d| d.name.as_str())
            .filter(|d| members.contains(*d) && *d != package.name.as_str() && !allowed.contains(d))
            .collect();
        assert!(wrong.is_empty(), "{} must not name {wrong:?}", package.name);
    }
}

#[test]
fn domain_and_core_do_not_know_the_edge() {
    let metadata = metadata();
    for member in BELOW_THE_EDGE {
        let deps = reachable(&metadata, member);
        let wrong: Vec<_> = EDGE.iter().filter(|e| deps.contains(**e)).collect();
        assert!(wrong.is_empty(), "{member} must not reach {wrong:?}");
    }
}

#[test]
fn cluster_and_media_know_neither_rooms_nor_users() {
    let metadata = metadata();
    for member in GENERIC {
        let deps = reachable(&metadata, member);
        let wrong: Vec<_> = DOMAIN_CRATES.iter().filter(|e| deps.contains(**e)).collect();
        assert!(wrong.is_empty(), "{member} must not reach {wrong:?}");
    }
}
