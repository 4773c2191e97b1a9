//! Node leases, shard rows and open lists (protocol rules 1, 3, 4 and 8).
//!
//! A refused write is followed by a serial read of the row: servers differ in what they show with a refusal. What it shows
//! may be newer than the refusal, which the protocol allows: our own write in the row still says that it was applied.

use async_trait::async_trait;
use mitalk_cluster::store::{
    Cas, LeaseStore, ListWrite, NodeRow, NodeWrite, ShardRow, ShardWrite, StoreError,
};
use mitalk_cluster::{EntityId, Epoch, NodeId, ShardId};
use scylla::DeserializeRow;

use super::Store;
use super::bind::bind;
use super::call::Client;
use super::fault::corrupt;
use super::places::Rank;
use super::read::{present, unsigned, write_id};
use super::statements::statements;

statements! {
    node: prepare_read "SELECT incarnation, beat, released FROM @node_lease WHERE node = ?";
    node_serial: prepare_serial "SELECT incarnation, beat, released FROM @node_lease WHERE node = ?";
    first_node: prepare_write
        "INSERT INTO @node_lease (node, incarnation, beat, released) VALUES (?, ?, ?, ?) IF NOT EXISTS";
    next_node: prepare_write
        "UPDATE @node_lease SET incarnation = ?, beat = ?, released = ? WHERE node = ? IF incarnation = ? AND beat = ?";
    // The first row of each of the 1,024 partitions: a scan of the whole table, which has little else.
    shards: prepare_read
        "SELECT shard, kind, owner, incarnation, epoch, list_id FROM @shard PER PARTITION LIMIT 1";
    shard: prepare_serial
        "SELECT shard, kind, owner, incarnation, epoch, list_id FROM @shard WHERE shard = ? AND kind = '' AND key = ''";
    first_shard: prepare_write
        "INSERT INTO @shard (shard, kind, key, owner, incarnation, epoch) VALUES (?, '', '', ?, ?, ?) IF NOT EXISTS";
    next_shard: prepare_write
        "UPDATE @shard SET owner = ?, incarnation = ?, epoch = ? WHERE shard = ? AND kind = '' AND key = '' IF epoch = ?";
    list: prepare_serial "SELECT kind, key FROM @shard WHERE shard = ?";
    next_list: prepare_write
        "UPDATE @shard SET list_id = ? WHERE shard = ? AND kind = '' AND key = '' IF epoch = ? AND list_id = ?";
    note: prepare_write "INSERT INTO @shard (shard, kind, key) VALUES (?, ?, ?)";
    unnote: prepare_write "DELETE FROM @shard WHERE shard = ? AND kind = ? AND key = ?";
}

#[derive(DeserializeRow)]
struct StoredNode {
    incarnation: i64,
    beat: i64,
    released: bool,
}

#[derive(DeserializeRow)]
struct StoredShard {
    shard: i32,
    kind: String,
    owner: Option<String>,
    incarnation: Option<i64>,
    epoch: Option<i64>,
    list_id: Option<Vec<u8>>,
}

#[derive(DeserializeRow)]
struct Noted {
    kind: String,
    key: String,
}

#[async_trait]
impl LeaseStore for Store {
    async fn node(&self, node: &NodeId) -> Result<Option<NodeRow>, StoreError> {
        let (own, beats) = (&self.statements.lease, self.beats());
        let found = beats.first(&own.node, bind![node.as_str()]).await?;
        found.map(StoredNode::row).transpose()
    }

    async fn put_node(&self, write: &NodeWrite) -> Result<Cas<Option<NodeRow>>, StoreError> {
        let (own, next, beats) = (&self.statements.lease, &write.next, self.beats());
        let node = write.node.as_str();
        let applied = match write.previous {
            None => {
                let values = bind![node, next.incarnation, next.beat, next.released];
                beats.conditional(&own.first_node, values).await?
            }
            Some((incarnation, beat)) => {
                let values = bind![
                    next.incarnation,
                    next.beat,
                    next.released,
                    node,
                    incarnation,
                    beat
                ];
                beats.conditional(&own.next_node, values).await?
            }
        };
        if applied {
            return Ok(Cas::Applied);
        }
        let shown = beats.first(&own.node_serial, bind![node]).await?;
        Ok(Cas::Refused(shown.map(StoredNode::row).transpose()?))
    }

    async fn shards(&self) -> Result<Vec<(ShardId, ShardRow)>, StoreError> {
        let rows: Vec<StoredShard> = self.beats().all(&self.statements.lease.shards, bind![]).await?;
        rows.into_iter().map(StoredShard::row).collect()
    }

    async fn put_shard(&self, write: &ShardWrite) -> Result<Cas<Option<ShardRow>>, StoreError> {
        let (own, shards) = (&self.statements.lease, self.shard_rows());
        let owner = write.owner.as_ref().map(NodeId::as_str);
        let applied = match write.seen {
            None => {
                let values = bind![write.shard, owner, write.incarnation, write.epoch];
                shards.conditional(&own.first_shard, values).await?
            }
            Some(seen) => {
                let values = bind![owner, write.incarnation, write.epoch, write.shard, seen];
                shards.conditional(&own.next_shard, values).await?
            }
        };
        self.applied_or_shard(applied, write.shard).await
    }

    async fn list(&self, shard: ShardId) -> Result<(Option<ShardRow>, Vec<EntityId>), StoreError> {
        // The row first: once the claim is in it, no write of an earlier epoch can change the list.
        let row = self.read_shard(shard).await?;
        let noted: Vec<Noted> = self
            .client
            .ranked(Rank::List)
            .all(&self.statements.lease.list, bind![shard])
            .await?;
        let entities = noted.into_iter().filter(|noted| !noted.kind.is_empty());
        let list = entities
            .map(|noted| EntityId::new(&noted.kind, &noted.key))
            .collect();
        Ok((row, list))
    }

    async fn write_list(&self, write: &ListWrite) -> Result<Cas<Option<ShardRow>>, StoreError> {
        let own = &self.statements.lease;
        let head = bind![write.list_id, write.shard, write.epoch, write.previous];
        let mut writes = vec![(&own.next_list, head)];
        let entry = |id: &EntityId| bind![write.shard, id.kind.as_str(), &*id.key];
        writes.extend(write.add.iter().map(|id| (&own.note, entry(id))));
        writes.extend(write.remove.iter().map(|id| (&own.unnote, entry(id))));
        let applied = self.shard_rows().conditional_together(writes).await?;
        self.applied_or_shard(applied, write.shard).await
    }
}

impl Store {
    fn beats(&self) -> Client {
        self.client.ranked(Rank::Beat)
    }

    fn shard_rows(&self) -> Client {
        self.client.ranked(Rank::Ownership)
    }

    async fn read_shard(&self, shard: ShardId) -> Result<Option<ShardRow>, StoreError> {
        let found: Option<StoredShard> = self
            .shard_rows()
            .first(&self.statements.lease.shard, bind![shard])
            .await?;
        found.map(|found| Ok(found.row()?.1)).transpose()
    }

    async fn applied_or_shard(
        &self,
        applied: bool,
        shard: ShardId,
    ) -> Result<Cas<Option<ShardRow>>, StoreError> {
        if applied {
            return Ok(Cas::Applied);
        }
        Ok(Cas::Refused(self.read_shard(shard).await?))
    }
}

impl StoredNode {
    fn row(self) -> Result<NodeRow, StoreError> {
        Ok(NodeRow {
            incarnation: unsigned(self.incarnation)?,
            beat: unsigned(self.beat)?,
            released: self.released,
        })
    }
}

impl StoredShard {
    fn row(self) -> Result<(ShardId, ShardRow), StoreError> {
        let shard = u16::try_from(self.shard).map_err(corrupt)?;
        if !self.kind.is_empty() {
            return Err(corrupt(format!("shard {shard} has a list and no row of its own")));
        }
        let row = ShardRow {
            owner: self.owner.as_deref().map(NodeId::new),
            incarnation: unsigned(present(self.incarnation, "incarnation")?)?,
            epoch: Epoch(unsigned(present(self.epoch, "epoch")?)?),
            list_id: self.list_id.as_deref().map(write_id).transpose()?,
        };
        Ok((ShardId(shard), row))
    }
}
