//! How long older versions are kept: the rules as they are stored, what they say of files, and removing versions.

use std::{
    collections::{HashMap, HashSet},
    time::Duration,
};

use beckon_shared::{
    retention::{Kept, Retention},
    time::Timestamp,
};
use sea_orm::{ConnectionTrait, FromQueryResult, Value};

use super::{
    BATCH, Error, Txn,
    collect::{mark_unused, nos},
    entity::Kind,
    places,
    space::{RECORD, record},
    sql,
};
use crate::{access::GrantedSpace, fault};

/// In place of a root's row number: all that has no rule of its own.
pub(crate) const DEFAULT: i64 = 0;

/// For so long after the rules of a space were changed none of its versions goes: who made a mistake changes them again.
const GRACE: Duration = Duration::from_secs(24 * 3600);

/// Whether rules that were changed last at this moment are followed by now.
pub(crate) fn is_due(set: Timestamp, now: Timestamp) -> bool {
    now.since(set) >= fault::clean_every(GRACE)
}

/// The rules of a space.
#[derive(Debug, Clone, Default)]
pub(crate) struct Rules {
    by_source: HashMap<i64, Retention>,
    /// When one of them was changed last.
    pub(crate) set: Timestamp,
}

impl Rules {
    /// The rule of a root alone, or of all that has none.
    pub(crate) fn own(&self, source: i64) -> Option<Retention> {
        self.by_source.get(&source).copied()
    }

    /// The rule that holds for what came from a root, or from none.
    pub(crate) fn of(&self, source: Option<i64>) -> Retention {
        let own = source.and_then(|source| self.own(source));
        own.or_else(|| self.own(DEFAULT)).unwrap_or(Retention::EVERYTHING)
    }

    /// The same with another rule in one place.
    pub(crate) fn with(mut self, source: i64, rule: Option<Retention>) -> Self {
        match rule {
            Some(rule) => self.by_source.insert(source, rule),
            None => self.by_source.remove(&source),
        };
        self
    }

    /// Whether no version would ever go.
    pub(crate) fn keep_everything(&self) -> bool {
        self.by_source.values().all(Retention::keeps_everything)
    }
}

#[derive(FromQueryResult)]
struct Rule {
    source: i64,
    keep_all_days: i64,
    daily_days: i64,
    weekly_days: i64,
    monthly_days: i64,
    forever: bool,
    set_at: i64,
}

/// The rules of a space.
pub(crate) async fn rules(on: &impl ConnectionTrait, space: &[u8]) -> Result<Rules, Error> {
    let text = "SELECT source, keep_all_days, daily_days, weekly_days, monthly_days, forever, set_at \
        FROM retention WHERE space = $1";
    let found = Rule::find_by_statement(sql(text, on, [space.into()])).all(on).await?;
    let days = |days: i64| u32::try_from(days).map_err(|_| Error::bad_row("days of a rule"));
    let mut rules = Rules::default();
    for rule in found {
        let retention = Retention {
            keep_all_days: days(rule.keep_all_days)?,
            daily_days: days(rule.daily_days)?,
            weekly_days: days(rule.weekly_days)?,
            monthly_days: days(rule.monthly_days)?,
            forever: rule.forever,
        };
        rules.by_source.insert(rule.source, retention);
        rules.set = rules.set.max(Timestamp(rule.set_at));
    }
    Ok(rules)
}

/// Sets a rule, or takes it away: then the drive's own holds, which counts as if it was changed.
pub(crate) async fn set(
    txn: &Txn,
    space: &GrantedSpace,
    source: i64,
    rule: Option<Retention>,
    now: Timestamp,
) -> Result<(), Error> {
    let text = "DELETE FROM retention WHERE space = $1 AND source = $2";
    txn.execute_raw(sql(text, txn, [space.column().into(), source.into()]))
        .await?;
    let Some(rule) = rule else {
        let text = "UPDATE retention SET set_at = $1 WHERE space = $2 AND source = $3";
        let values = [now.0.into(), space.column().into(), DEFAULT.into()];
        txn.execute_raw(sql(text, txn, values)).await?;
        return Ok(());
    };
    let text = "INSERT INTO retention (space, source, keep_all_days, daily_days, weekly_days, monthly_days, forever, set_at) \
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8)";
    let days = |days: u32| Value::from(i64::from(days));
    let values = [
        space.column().into(),
        source.into(),
        days(rule.keep_all_days),
        days(rule.daily_days),
        days(rule.weekly_days),
        days(rule.monthly_days),
        rule.forever.into(),
        now.0.into(),
    ];
    txn.execute_raw(sql(text, txn, values)).await?;
    Ok(())
}

/// The spaces that have rules, with when one of them was set last.
pub(crate) async fn spaces(on: &impl ConnectionTrait) -> Result<Vec<(Vec<u8>, Timestamp)>, Error> {
    let text = "SELECT space, MAX(set_at) AS set_at FROM retention GROUP BY space ORDER BY space";
    let rows = on.query_all_raw(sql(text, on, [])).await?;
    rows.iter()
        .map(|row| Ok((row.try_get("", "space")?, Timestamp(row.try_get("", "set_at")?))))
        .collect()
}

/// A file of which there is more than one version.
#[derive(Debug, Clone)]
pub(crate) struct File {
    /// Row number of its node.
    pub(crate) node: i64,
    /// The root that it came from.
    pub(crate) source: Option<i64>,
    head: Option<i64>,
    versions: Vec<Seen>,
}

#[derive(Debug, Clone, FromQueryResult)]
struct Seen {
    no: i64,
    node: i64,
    created: i64,
    torn: bool,
    root_commit: Option<i64>,
}

impl File {
    /// The versions, by row number and oldest first, that do not stay by a rule at a moment. What came later than that is left
    /// alone.
    ///
    /// Its newest version stays, and the newest that its machine brought: who follows that machine's root reads it, and by
    /// it is known what the machine brought last.
    pub(crate) fn superseded(&self, rule: &Retention, at: Timestamp) -> Vec<i64> {
        let brought = self.versions.iter().rev().find(|seen| seen.root_commit.is_some());
        let brought = brought.map(|seen| seen.no);
        let all = self.versions.iter().zip(self.replaced());
        let versions: Vec<_> = all.filter(|(seen, _)| seen.created <= at.0).collect();
        let kept = versions.iter().map(|(seen, replaced)| Kept {
            committed: Timestamp(seen.created),
            replaced: *replaced,
            torn: seen.torn,
            always: self.head == Some(seen.no) || brought == Some(seen.no),
        });
        let stays = rule.stays(&kept.collect::<Vec<_>>(), at);
        let gone = versions.iter().zip(stays).filter(|(_, stays)| !stays);
        gone.map(|((seen, _), _)| seen.no).collect()
    }

    /// When another version took the place of each: that of a whole one is taken by whole ones, or by what a person chose.
    fn replaced(&self) -> Vec<Option<Timestamp>> {
        let (mut next, mut next_firm) = (None, None);
        let newest_first = self.versions.iter().rev().map(|seen| {
            let replaced = if seen.torn { next } else { next_firm };
            next = Some(Timestamp(seen.created));
            if !seen.torn || seen.root_commit.is_none() {
                next_firm = next;
            }
            replaced
        });
        let mut replaced: Vec<_> = newest_first.collect();
        replaced.reverse();
        replaced
    }
}

/// Files with more than one version, in the order of their row numbers from behind `after` on; those of a root, or of all.
pub(crate) async fn files(
    on: &impl ConnectionTrait,
    space: &[u8],
    source: Option<i64>,
    after: i64,
    limit: usize,
) -> Result<Vec<File>, Error> {
    let of = source
        .map(|source| format!("AND n.source = {source}"))
        .unwrap_or_default();
    let text = format!(
        "SELECT n.no, n.source, n.head FROM node n WHERE n.space = $1 AND n.no > $2 {of} AND n.deleted_at IS NULL AND n.kind <> {} \
         AND (SELECT COUNT(*) FROM version v WHERE v.node = n.no) > 1 ORDER BY n.no LIMIT {limit}",
        Kind::Folder as i64
    );
    let mut files: Vec<File> = Vec::new();
    for row in on.query_all_raw(sql(&text, on, [space.into(), after.into()])).await? {
        files.push(File {
            node: row.try_get("", "no")?,
            source: row.try_get("", "source")?,
            head: row.try_get("", "head")?,
            versions: Vec::new(),
        });
    }
    let places_of: HashMap<i64, usize> = files.iter().enumerate().map(|(at, file)| (file.node, at)).collect();
    let all: Vec<i64> = files.iter().map(|file| file.node).collect();
    for batch in all.chunks(BATCH) {
        let text = format!(
            "SELECT no, node, created, torn, root_commit FROM version WHERE node IN ({}) ORDER BY no",
            places(1, batch.len())
        );
        let values = batch.iter().map(|no| (*no).into());
        for seen in Seen::find_by_statement(sql(&text, on, values)).all(on).await? {
            if let Some(file) = places_of.get(&seen.node).and_then(|at| files.get_mut(*at)) {
                file.versions.push(seen);
            }
        }
    }
    Ok(files)
}

/// Counts the content that only versions which go have need of.
#[derive(Debug, Default)]
pub(crate) struct Freed {
    /// Chunks with how often those versions use them.
    uses: HashMap<i64, i64>,
    /// There are too many to be counted.
    pub(crate) is_cut: bool,
}

impl Freed {
    /// So many chunks are counted at the most: about as many as 250 GiB have.
    const MAX: usize = 1_000_000;

    /// These versions go too.
    pub(crate) async fn add(&mut self, on: &impl ConnectionTrait, versions: &[i64]) -> Result<(), Error> {
        for versions in versions.chunks(BATCH) {
            let text = format!(
                "SELECT chunk, COUNT(*) AS uses FROM chunk_use WHERE version IN ({}) GROUP BY chunk",
                places(1, versions.len())
            );
            let values = versions.iter().map(|no| (*no).into());
            for row in on.query_all_raw(sql(&text, on, values)).await? {
                let chunk: i64 = row.try_get("", "chunk")?;
                if self.uses.len() >= Self::MAX && !self.uses.contains_key(&chunk) {
                    self.is_cut = true;
                    continue;
                }
                *self.uses.entry(chunk).or_default() += row.try_get::<i64>("", "uses")?;
            }
        }
        Ok(())
    }

    /// Bytes of content that nothing else needs.
    pub(crate) async fn bytes(&self, on: &impl ConnectionTrait) -> Result<u64, Error> {
        let mut bytes = 0;
        for chunks in self.uses.keys().copied().collect::<Vec<_>>().chunks(BATCH) {
            let text = format!(
                "SELECT c.no, c.len, (SELECT COUNT(*) FROM chunk_use u WHERE u.chunk = c.no) AS uses FROM chunk c \
                 WHERE c.no IN ({}) AND NOT EXISTS (SELECT 1 FROM pin p WHERE p.chunk = c.no)",
                places(1, chunks.len())
            );
            for row in on
                .query_all_raw(sql(&text, on, chunks.iter().map(|no| (*no).into())))
                .await?
            {
                let (no, uses): (i64, i64) = (row.try_get("", "no")?, row.try_get("", "uses")?);
                if self.uses.get(&no) == Some(&uses) {
                    bytes += row.try_get::<i64>("", "len")?.cast_unsigned();
                }
            }
        }
        Ok(bytes)
    }
}

/// Removes versions, but for those that became the newest of their files meanwhile. What they alone needed is marked, and
/// collected a day later. Returns how many went.
pub(crate) async fn remove(txn: &Txn, space: &[u8], versions: &[i64], now: Timestamp) -> Result<u64, Error> {
    let list = places(1, versions.len());
    let values = |nos: &[i64]| nos.iter().map(|no| Value::from(*no)).collect::<Vec<_>>();
    let heads = format!(
        "SELECT n.head AS no FROM version v JOIN node n ON n.no = v.node WHERE v.no IN ({list}) AND n.head IS NOT NULL"
    );
    let heads: HashSet<i64> = nos(txn, &heads, values(versions)).await?.into_iter().collect();
    let gone: Vec<i64> = versions.iter().copied().filter(|no| !heads.contains(no)).collect();
    if gone.is_empty() {
        return Ok(0);
    }
    let list = places(1, gone.len());
    let used = format!("SELECT DISTINCT chunk AS no FROM chunk_use WHERE version IN ({list})");
    let chunks = nos(txn, &used, values(&gone)).await?;
    let counted = format!(
        "SELECT CAST(COALESCE(SUM({RECORD} + LENGTH(bytes)), 0) AS BIGINT) AS no FROM manifest WHERE version IN ({list})"
    );
    let counted = nos(txn, &counted, values(&gone)).await?.first().copied().unwrap_or(0);
    for text in [
        format!("DELETE FROM chunk_use WHERE version IN ({list})"),
        format!("DELETE FROM manifest WHERE version IN ({list})"),
        format!("DELETE FROM version WHERE no IN ({list})"),
    ] {
        txn.execute_raw(sql(&text, txn, values(&gone))).await?;
    }
    mark_unused(txn, &chunks, now.0).await?;
    record(txn, space.to_vec(), -counted).await?;
    Ok(gone.len() as u64)
}
