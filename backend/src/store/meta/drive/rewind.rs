//! Putting back what a file or folder held at an earlier moment, path by path, so that nothing that is there now is lost.

use std::collections::HashMap;

use beckon_shared::{api::drive::Rewound, error::ErrorCode, path::Name, time::Timestamp};
use sea_orm::{ActiveValue::Set, ColumnTrait, ConnectionTrait, EntityTrait, QueryFilter};

use super::{
    Place, Row, by_numbers,
    change::{done, locked, restored_name},
    child,
    current::put,
    past::{When, remember},
    search::folded,
    walk::{Step, Walk},
};
use crate::{
    access::GrantedSpace,
    clock::Clock,
    store::meta::{
        BATCH, Error, Meta, Txn,
        entity::node,
        source::{NewFolder, make_folder, outdate},
        space::check_quota,
        sql,
    },
};

/// Things that are put back in one transaction, so that uploads get their turn.
const PART: usize = 200;

/// Things that one request puts back: it is to be answered in seconds.
const AT_ONCE: u64 = 5_000;

/// A drive that is put back.
struct Rewind<'a> {
    meta: &'a Meta,
    clock: &'a dyn Clock,
    space: &'a GrantedSpace,
    at: Timestamp,
    /// The folders that stand for those of then, by their paths below the start.
    folders: HashMap<Vec<u8>, i64>,
    told: Rewound,
    revision: Option<u64>,
}

/// Puts back what lay at a place at a moment. Told is what was done, and the new revision if something was.
pub(crate) async fn rewind(
    meta: &Meta,
    clock: &dyn Clock,
    space: &GrantedSpace,
    place: &Place,
    at: Timestamp,
) -> Result<(Rewound, Option<u64>), Error> {
    space.writable()?;
    let when = When::At(at);
    let start = when.find(meta.read(), space, place).await?;
    let mut rewind = Rewind {
        meta,
        clock,
        space,
        at,
        folders: HashMap::new(),
        told: Rewound::default(),
        revision: None,
    };
    let folder = rewind.above(&start).await?;
    if !start.is_top() {
        rewind.folders.insert(Vec::new(), folder);
        let path = start.node.name.clone();
        rewind
            .part(vec![Step {
                path,
                row: start.clone(),
            }])
            .await?;
    }
    let prefix = start.node.name.clone();
    if start.is_top() {
        rewind.folders.insert(Vec::new(), start.node.no);
    }
    let mut walk = Walk::below(start, when);
    loop {
        let mut part = Vec::new();
        while part.len() < PART
            && let Some(Step { path, row }) = walk.next(meta.read()).await?
        {
            let path = if prefix.is_empty() {
                path
            } else {
                [&prefix, b"/".as_slice(), &path].concat()
            };
            part.push(Step { path, row });
        }
        if part.is_empty() {
            return Ok((rewind.told, rewind.revision));
        }
        rewind.part(part).await?;
        if rewind.told.changed + rewind.told.back >= AT_ONCE {
            rewind.told.more = true;
            return Ok((rewind.told, rewind.revision));
        }
    }
}

impl Rewind<'_> {
    /// The folder that held the start then, made again where it is not there.
    async fn above(&mut self, start: &Row) -> Result<i64, Error> {
        let when = When::At(self.at);
        let (mut chain, mut parent) = (Vec::new(), start.parent);
        while let Some(id) = parent {
            let row = when.find(self.meta.read(), self.space, &Place::Node(id)).await?;
            parent = row.parent;
            chain.push(row);
        }
        let mut at = super::top(self.meta.read(), self.space).await?.node.no;
        let (txn, revision) = locked(self.meta, self.space).await?;
        for row in chain.into_iter().rev() {
            let folder = self.folder(&txn, at).await?;
            at = self.put_back(&txn, &folder, &row).await?.unwrap_or(at);
        }
        self.end(txn, revision).await?;
        Ok(at)
    }

    /// One transaction; a folder comes before what is in it.
    async fn part(&mut self, steps: Vec<Step>) -> Result<(), Error> {
        let steps = self.without_same(steps).await?;
        if steps.is_empty() {
            return Ok(());
        }
        let (txn, revision) = locked(self.meta, self.space).await?;
        for Step { path, row } in steps {
            let Some(folder) = self.folders.get(above(&path)).copied() else {
                continue;
            };
            let folder = self.folder(&txn, folder).await?;
            if let Some(no) = self.put_back(&txn, &folder, &row).await?
                && row.is_folder()
            {
                self.folders.insert(path, no);
            }
        }
        self.end(txn, revision).await
    }

    async fn end(&mut self, txn: Txn, revision: u64) -> Result<(), Error> {
        check_quota(&txn, self.space.id()).await?;
        self.revision = Some(done(txn, revision).await?);
        Ok(())
    }

    /// Leaves out what lies and holds as it did: most of what there is, and no transaction is needed for it.
    async fn without_same(&mut self, steps: Vec<Step>) -> Result<Vec<Step>, Error> {
        let mut now = HashMap::with_capacity(steps.len());
        let nos: Vec<i64> = steps.iter().map(|step| step.row.node.no).collect();
        for nos in nos.chunks(BATCH) {
            let found = node::Entity::find().filter(node::Column::No.is_in(nos.iter().copied()));
            now.extend(
                found
                    .all(self.meta.read())
                    .await?
                    .into_iter()
                    .map(|node| (node.no, node)),
            );
        }
        let mut others = Vec::new();
        for step in steps {
            let then = &step.row.node;
            let stays = now.get(&then.no).is_some_and(|now| {
                let folder = self.folders.get(above(&step.path)).copied();
                let place = folder.is_some() && now.parent == folder && now.name == then.name;
                place && now.deleted_at.is_none() && (step.row.is_folder() || now.head == then.head)
            });
            match stays {
                true if step.row.is_folder() => drop(self.folders.insert(step.path, then.no)),
                true => self.told.same += 1,
                false => others.push(step),
            }
        }
        Ok(others)
    }

    /// A folder as it is in this transaction.
    async fn folder(&self, txn: &Txn, no: i64) -> Result<Row, Error> {
        let found = by_numbers(txn, &[no]).await?.pop();
        let live = found.filter(|row| row.is_folder() && row.node.deleted_at.is_none());
        live.ok_or_else(|| {
            Error::refused(
                ErrorCode::Conflict,
                "a folder was deleted while things were put back into it; do it again",
            )
        })
    }

    /// Has a folder hold what it held under a name; which node stands for that now, if any does.
    async fn put_back(&mut self, txn: &Txn, folder: &Row, then: &Row) -> Result<Option<i64>, Error> {
        let name = Name::new(then.node.name.clone()).map_err(|_| Error::bad_row("name"))?;
        let is_lost = !then.is_folder() && then.head.is_none();
        if is_lost {
            self.told.lost += 1;
            return Ok(None);
        }
        let mut name = name;
        if let Some(live) = child(txn, folder, &name).await? {
            if live.is_folder() == then.is_folder() {
                return self.put_on(txn, then, &live).await.map(Some);
            }
            // A folder in a file's place stays, and the other way round. Done again it is found beside it again.
            name = restored_name(name.as_bytes(), then.node.kind, 1)?;
            let beside = child(txn, folder, &name).await?;
            if let Some(beside) = beside.filter(|beside| beside.is_folder() == then.is_folder()) {
                return self.put_on(txn, then, &beside).await.map(Some);
            }
        }
        self.told.back += 1;
        let deleted = self.deleted(txn, then, folder, &name).await?;
        let no = match deleted {
            Some(no) => no,
            None => self.make(txn, folder, &name).await?,
        };
        let head = node::Entity::find_by_id(no).one(txn).await?.and_then(|node| node.head);
        if let Some(old) = then
            .head
            .as_ref()
            .filter(|old| !then.is_folder() && head != Some(old.no))
        {
            put(txn, self.clock, self.space, old, no).await?;
        }
        Ok(Some(no))
    }

    /// Has a live node hold what one held then.
    async fn put_on(&mut self, txn: &Txn, then: &Row, live: &Row) -> Result<i64, Error> {
        let no = live.node.no;
        if then.is_folder() {
            return Ok(no);
        }
        let hash = |row: &Row| row.head.as_ref().map(|head| (head.kind, head.manifest_hash.clone()));
        match then.head.as_ref() {
            Some(old) if hash(live) != hash(then) => {
                put(txn, self.clock, self.space, old, no).await?;
                self.told.changed += 1;
            }
            _ => self.told.same += 1,
        }
        Ok(no)
    }

    /// Takes the node of then out of Deleted, by itself, if it is there and its name is free.
    async fn deleted(&self, txn: &Txn, then: &Row, folder: &Row, name: &Name) -> Result<Option<i64>, Error> {
        let no = then.node.no;
        let now = node::Entity::find_by_id(no).one(txn).await?;
        if now.is_none_or(|now| now.deleted_at.is_none()) || child(txn, folder, name).await?.is_some() {
            return Ok(None);
        }
        remember(txn, &[no], self.clock.now()).await?;
        // Where the same file was uploaded anew, that one stays bound to it.
        let unbind = "UPDATE node SET source = NULL, source_parent = NULL, source_name = NULL WHERE no = $1 AND EXISTS (SELECT 1 FROM node o \
            WHERE o.deleted_at IS NULL AND o.source_parent = node.source_parent AND o.source_name = node.source_name)";
        txn.execute_raw(sql(unbind, txn, [no.into()])).await?;
        let live = node::ActiveModel {
            no: Set(no),
            parent: Set(Some(folder.node.no)),
            name: Set(name.as_bytes().to_vec()),
            folded: Set(folded(name.as_bytes())),
            deleted_at: Set(None),
            ..Default::default()
        };
        node::Entity::update(live).exec_without_returning(txn).await?;
        outdate(txn, &[no]).await?;
        Ok(Some(no))
    }

    /// A node of this name, or nearly so if it is taken by something of another kind; empty yet.
    async fn make(&self, txn: &Txn, folder: &Row, name: &Name) -> Result<i64, Error> {
        let new = NewFolder {
            parent: folder.node.no,
            name,
            source: None,
        };
        make_folder(txn, self.clock, self.space, new).await
    }
}

/// The path of the folder that holds a path.
fn above(path: &[u8]) -> &[u8] {
    &path[..path.iter().rposition(|byte| *byte == b'/').unwrap_or(0)]
}
