//! What rules for older versions would delete, shown before they are set, and deleting it day by day.

use beckon_shared::{
    error::ErrorCode,
    id::{Hash, SpaceId},
    retention::Retention,
    time::Timestamp,
    wire,
};
use std::time::Duration;

use crate::{
    access::GrantedSpace,
    clock::Clock,
    store::{
        Error,
        meta::{
            BATCH, Meta,
            retention::{DEFAULT, Freed, Rules, files, is_due, remove, rules, set},
        },
    },
};

/// Files that are looked at together.
const PAGE: usize = BATCH;

/// Versions that a plan names.
const SHOWN: usize = 500;

/// How long a plan that was looked at may be set.
const PLAN_LIVES: Duration = Duration::from_secs(15 * 60);

/// A rule in a place.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Proposal {
    /// Row number of the root; [`DEFAULT`] for all that has no rule of its own.
    pub(crate) source: i64,
    /// The rule; none for a root that is to have no rule of its own, and for a drive that keeps everything.
    pub(crate) rule: Option<Retention>,
}

/// What a rule would delete at once.
#[derive(Debug, Default)]
pub(crate) struct Plan {
    /// Versions.
    pub(crate) versions: u64,
    /// Files that they are of.
    pub(crate) files: u64,
    /// Bytes that only they need.
    pub(crate) bytes: u64,
    /// There are more such bytes.
    pub(crate) at_least: bool,
    /// Row numbers of the first of them.
    pub(crate) first: Vec<i64>,
    /// Names the plan.
    pub(crate) token: String,
}

/// Looks what a rule would delete if it was set.
pub(crate) async fn plan(
    meta: &Meta,
    space: &GrantedSpace,
    proposal: &Proposal,
    now: Timestamp,
) -> Result<Plan, Error> {
    let on = meta.read();
    let (mut plan, mut freed) = (Plan::default(), Freed::default());
    let mut walk = Walk::of(meta, space, proposal, now).await?;
    while let Some(page) = walk.next(meta).await? {
        for gone in page {
            plan.versions += gone.len() as u64;
            plan.files += 1;
            freed.add(on, &gone).await?;
            let room = SHOWN - plan.first.len();
            plan.first.extend(gone.into_iter().take(room));
        }
    }
    plan.bytes = freed.bytes(on).await?;
    plan.at_least = freed.is_cut;
    plan.token = format!("{}-{}", now.0, walk.seen);
    Ok(plan)
}

/// Sets a rule whose plan was looked at, if it would delete still what was shown then.
pub(crate) async fn adopt(
    meta: &Meta,
    clock: &dyn Clock,
    space: &GrantedSpace,
    proposal: &Proposal,
    token: &str,
) -> Result<(), Error> {
    space.writable()?;
    let now = clock.now();
    let planned = token
        .split_once('-')
        .and_then(|(at, seen)| Some((Timestamp(at.parse().ok()?), seen)));
    let planned = planned.filter(|(at, _)| *at <= now && now.since(*at) <= PLAN_LIVES);
    let (at, seen) = planned.ok_or_else(outdated)?;
    let mut walk = Walk::of(meta, space, proposal, at).await?;
    while walk.next(meta).await?.is_some() {}
    if walk.seen.to_string() != seen {
        return Err(outdated());
    }
    let txn = meta.write().await?;
    set(&txn, space, proposal.source, proposal.rule, now).await?;
    txn.commit().await?;
    tracing::info!(space = %space.id(), source = proposal.source, rule = ?proposal.rule, "a rule for older versions was set");
    Ok(())
}

fn outdated() -> Error {
    Error::refused(
        ErrorCode::Conflict,
        "the plan is no longer what this rule would delete; look at the new plan, and set the rule then",
    )
}

/// Goes through the files that a proposal is about, and keeps a hash of all that it finds.
struct Walk {
    space: Vec<u8>,
    rules: Rules,
    source: i64,
    at: Timestamp,
    after: i64,
    seen: Hash,
}

impl Walk {
    async fn of(meta: &Meta, space: &GrantedSpace, proposal: &Proposal, at: Timestamp) -> Result<Self, Error> {
        let rules = rules(meta.read(), &space.column()).await?;
        let about = (
            space.id(),
            proposal.source,
            proposal.rule.map(|rule| format!("{rule:?}")),
            at,
        );
        Ok(Self {
            space: space.column(),
            rules: rules.with(proposal.source, proposal.rule),
            source: proposal.source,
            at,
            after: 0,
            seen: Hash::of(&wire::encode(&about)),
        })
    }

    /// Of the next files, the versions that go, file by file; nothing at the end.
    async fn next(&mut self, meta: &Meta) -> Result<Option<Vec<Vec<i64>>>, Error> {
        let source = Some(self.source).filter(|source| *source != DEFAULT);
        let files = files(meta.read(), &self.space, source, self.after, PAGE).await?;
        let Some(last) = files.last() else { return Ok(None) };
        self.after = last.node;
        let concerned = files.iter().filter(|file| {
            let own = file.source.is_some_and(|source| self.rules.own(source).is_some());
            self.source != DEFAULT || !own
        });
        let gone = concerned.map(|file| file.superseded(&self.rules.of(file.source), self.at));
        let gone: Vec<Vec<i64>> = gone.filter(|gone| !gone.is_empty()).collect();
        self.seen = Hash::of(&wire::encode(&(self.seen, &gone)));
        Ok(Some(gone))
    }
}

/// Deletes what does not stay by the rules of a space, once they are due; how many versions went.
pub(crate) async fn apply(meta: &Meta, clock: &dyn Clock, space: SpaceId) -> Result<u64, Error> {
    let space = space.as_bytes().to_vec();
    let (mut after, mut gone) = (0, 0);
    loop {
        // Asked for again with each part: who changes a rule does not see the one before go on for long.
        let rules = rules(meta.read(), &space).await?;
        if rules.keep_everything() || !is_due(rules.set, clock.now()) {
            return Ok(gone);
        }
        let files = files(meta.read(), &space, None, after, PAGE).await?;
        let Some(last) = files.last() else { return Ok(gone) };
        after = last.node;
        let now = clock.now();
        let superseded = files
            .iter()
            .flat_map(|file| file.superseded(&rules.of(file.source), now));
        for part in superseded.collect::<Vec<_>>().chunks(BATCH) {
            let txn = meta.write().await?;
            gone += remove(&txn, &space, part, now).await?;
            txn.commit().await?;
        }
    }
}
