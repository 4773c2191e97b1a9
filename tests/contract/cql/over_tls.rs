//! Over TLS, by a user with a password who may do no more than `deploy/scylla.md` says; the nodes' certificates have their
//! addresses, and no names.
//!
//! `make test-tls` starts such a node (`deploy/local/cassandra.sh` with `CASSANDRA_TLS=1`) and says so by
//! `MITALK_TEST_CQL_TLS`.

use std::path::{Path, PathBuf};

use ::scylla::client::session::Session;
use ::scylla::client::session_builder::SessionBuilder;
use mitalk::store::scylla::{self, Config, OpenError, Store};
use mitalk_actors::testing::contract as actors;
use mitalk_cluster::testing::contract as cluster;
use tempfile::TempDir;

use super::{fresh, metrics};

/// Who made the keyspace, and who serves from it.
const OWNER: &str = "mitalk_owner";
const SERVICE: &str = "mitalk_service";
const PASSWORD: &str = "it is a test";

/// How the node is reached by those users.
struct Secure {
    config: Config,
    certificates: PathBuf,
    _directory: TempDir,
}

impl Secure {
    fn found() -> Option<Self> {
        let Ok(certificates) = std::env::var("MITALK_TEST_CQL_TLS") else {
            #[allow(clippy::print_stderr, reason = "for people who wonder what was left out")]
            {
                eprintln!("left out: no MITALK_TEST_CQL_TLS; see `make test-tls`");
            }
            return None;
        };
        let certificates = PathBuf::from(certificates);
        let directory = tempfile::tempdir().expect("a temporary directory");
        let config = Config {
            password_file: Some(written(&directory, "password", PASSWORD)),
            tls_ca_file: Some(certificates.join("ca.pem")),
            ..fresh()?
        };
        Some(Self {
            config,
            certificates,
            _directory: directory,
        })
    }

    fn of(&self, user: &str) -> Config {
        Config {
            user: user.to_owned(),
            ..self.config.clone()
        }
    }
}

/// A file of this text; its end of line does not count.
fn written(directory: &TempDir, name: &str, text: &str) -> PathBuf {
    let path: &Path = directory.path();
    let path = path.join(name);
    std::fs::write(&path, format!("{text}\n")).expect("writable");
    path
}

/// As the cluster's administrator.
async fn administer(config: &Config, statements: &[String]) {
    let session = SessionBuilder::new().known_nodes(&config.nodes);
    let session: Session = session
        .user("cassandra", "cassandra")
        .build()
        .await
        .expect("the node answers");
    for statement in statements {
        session
            .query_unpaged(statement.as_str(), ())
            .await
            .unwrap_or_else(|error| panic!("{statement}: {error}"));
    }
}

#[tokio::test]
async fn suites_by_who_may_only_read_and_write() {
    let Some(secure) = Secure::found() else { return };
    let role =
        |name| format!("CREATE ROLE IF NOT EXISTS {name} WITH PASSWORD = '{PASSWORD}' AND LOGIN = true");
    let grant = |what: &str, to: &str| format!("GRANT {what} TO {to}");
    let to_migrate = [
        role(OWNER),
        role(SERVICE),
        grant("CREATE ON ALL KEYSPACES", OWNER),
    ];
    administer(&secure.config, &to_migrate).await;
    scylla::migrate(&secure.of(OWNER)).await.expect("the owner may");
    let keyspace = &secure.config.keyspace;
    let to_serve = ["SELECT", "MODIFY"].map(|may| grant(&format!("{may} ON KEYSPACE {keyspace}"), SERVICE));
    administer(&secure.config, &to_serve).await;

    let store = Store::open(&secure.of(SERVICE), metrics())
        .await
        .expect("a migrated keyspace opens");
    cluster::lease(&store).await;
    cluster::entity(&store).await;
    cluster::timer(&store).await;
    actors::tables(&store).await;
    actors::allow_list(&store).await;
    actors::ledger(&store).await;
}

#[tokio::test]
async fn what_does_not_fit_is_explained() {
    let Some(secure) = Secure::found() else { return };
    let directory = tempfile::tempdir().expect("a temporary directory");
    let quick = Config {
        connect_timeout_ms: 5_000,
        ..secure.of("cassandra")
    };
    let wrong_password = Config {
        password_file: Some(written(&directory, "wrong", "something else")),
        ..quick.clone()
    };
    let said = refused(&wrong_password).await;
    assert!(
        said.contains("scylla.user") && said.contains("incorrect"),
        "{said}"
    );
    assert!(!said.contains("something else"), "no password in it: {said}");

    let wrong_authority = Config {
        tls_ca_file: Some(secure.certificates.join("other-ca.pem")),
        ..quick.clone()
    };
    let said = refused(&wrong_authority).await;
    assert!(
        said.contains("scylla.tls_ca_file") && said.contains("certificate"),
        "{said}"
    );

    let no_authority = Config {
        tls_ca_file: Some(secure.certificates.join("password")),
        ..quick
    };
    let said = Store::open(&no_authority, metrics())
        .await
        .expect_err("no certificate");
    assert!(matches!(said, OpenError::Tls(_)), "{said}");
}

async fn refused(config: &Config) -> String {
    let error = Store::open(config, metrics())
        .await
        .expect_err("it must not open");
    assert!(matches!(error, OpenError::Unreachable { .. }), "{error}");
    error.to_string()
}
