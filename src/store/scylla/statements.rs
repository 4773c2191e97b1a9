//! All prepared statements, by port.

use scylla::errors::PrepareError;

use super::call::Client;
use super::{
    allow_list, entity, follow, identity, lease, ledger, people, reads, rooms, shut_out, tables, timer,
};

pub(super) struct Statements {
    pub(super) lease: lease::Statements,
    pub(super) entity: entity::Statements,
    pub(super) timer: timer::Statements,
    pub(super) tables: tables::Statements,
    pub(super) follow: follow::Statements,
    pub(super) reads: reads::Statements,
    pub(super) people: people::Statements,
    pub(super) rooms: rooms::Statements,
    pub(super) shut_out: shut_out::Statements,
    pub(super) allow_list: allow_list::Statements,
    pub(super) identity: identity::Statements,
    pub(super) ledger: ledger::Statements,
}

impl Statements {
    pub(super) async fn prepare(client: &Client) -> Result<Self, PrepareError> {
        Ok(Self {
            lease: lease::Statements::prepare(client).await?,
            entity: entity::Statements::prepare(client).await?,
            timer: timer::Statements::prepare(client).await?,
            tables: tables::Statements::prepare(client).await?,
            follow: follow::Statements::prepare(client).await?,
            reads: reads::Statements::prepare(client).await?,
            people: people::Statements::prepare(client).await?,
            rooms: rooms::Statements::prepare(client).await?,
            shut_out: shut_out::Statements::prepare(client).await?,
            allow_list: allow_list::Statements::prepare(client).await?,
            identity: identity::Statements::prepare(client).await?,
            ledger: ledger::Statements::prepare(client).await?,
        })
    }
}

/// A struct of prepared statements with the function that prepares them: `name: how "text"`.
macro_rules! statements {
    ($($name:ident: $how:ident $text:expr;)*) => {
        pub(super) struct Statements {
            $($name: scylla::statement::prepared::PreparedStatement,)*
        }

        impl Statements {
            pub(super) async fn prepare(
                client: &$crate::store::scylla::call::Client,
            ) -> Result<Self, scylla::errors::PrepareError> {
                Ok(Self { $($name: client.$how($text).await?,)* })
            }
        }
    };
}
pub(super) use statements;
