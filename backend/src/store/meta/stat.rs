//! What administrators see of the whole: accounts and what they use, how much is stored, and samples of it over time.

use std::time::Duration;

use beckon_shared::{
    api::admin::{AccountRow, Sample, Span, Stored},
    id::AccountId,
    time::Timestamp,
};
use sea_orm::{ConnectionTrait, QueryResult};

use super::{
    Error, Txn, sql,
    word::{array, column, number},
};

const DAY: Duration = Duration::from_secs(24 * 3600);

/// How much time a sample stands for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Grain {
    /// Five minutes.
    Fine,
    /// Three hours.
    Middle,
    /// A day of UTC.
    Coarse,
}

impl Grain {
    const ALL: [Self; 3] = [Self::Fine, Self::Middle, Self::Coarse];

    /// Milliseconds.
    const fn len(self) -> i64 {
        match self {
            Self::Fine => 5 * 60_000,
            Self::Middle => 3 * 3_600_000,
            Self::Coarse => 24 * 3_600_000,
        }
    }

    /// How long samples are kept; those of whole days for ever.
    const fn kept(self) -> Option<Duration> {
        match self {
            Self::Fine => Some(Duration::from_secs(2 * DAY.as_secs())),
            Self::Middle => Some(Duration::from_secs(60 * DAY.as_secs())),
            Self::Coarse => None,
        }
    }

    /// What a span is shown by, and how long it is.
    const fn of(span: Span) -> (Self, Duration) {
        match span {
            Span::Day => (Self::Fine, DAY),
            Span::Month => (Self::Middle, Duration::from_secs(30 * DAY.as_secs())),
            Span::Year => (Self::Coarse, Duration::from_secs(365 * DAY.as_secs())),
        }
    }
}

/// Every account, by name. Who is online is for the caller to say.
pub(crate) async fn accounts(on: &impl ConnectionTrait) -> Result<Vec<AccountRow>, Error> {
    let text = "SELECT a.id, a.name, a.admin, a.disabled_at, a.created, s.quota,
        COALESCE(u.used + u.records - CASE WHEN u.marked > s.quota THEN s.quota ELSE u.marked END, 0) AS used,
        (SELECT MAX(d.last_seen) FROM device d WHERE d.account = a.id) AS last_seen,
        (SELECT COUNT(*) FROM device d WHERE d.account = a.id AND d.revoked_at IS NULL) AS devices
        FROM account a JOIN space s ON s.id = a.space LEFT JOIN space_usage u ON u.space = s.id ORDER BY a.name_key";
    let rows = on.query_all_raw(sql(text, on, [])).await?;
    rows.iter().map(account).collect()
}

fn account(row: &QueryResult) -> Result<AccountRow, Error> {
    let time = |column: &str| -> Result<Option<Timestamp>, Error> {
        Ok(row.try_get::<Option<i64>>("", column)?.map(Timestamp))
    };
    Ok(AccountRow {
        id: AccountId(array(row.try_get("", "id")?)?),
        name: row.try_get("", "name")?,
        admin: row.try_get("", "admin")?,
        disabled: time("disabled_at")?.is_some(),
        created: Timestamp(row.try_get("", "created")?),
        last_seen: time("last_seen")?,
        devices: number(row.try_get("", "devices")?)?,
        online: 0,
        used: number(row.try_get("", "used")?)?,
        quota: row.try_get::<Option<i64>>("", "quota")?.map(i64::cast_unsigned),
    })
}

/// How many there are, whether here or away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Counts {
    /// Accounts.
    pub(crate) accounts: u32,
    /// Devices that are not revoked.
    pub(crate) devices: u32,
    /// Machines among them.
    pub(crate) machines: u32,
    /// Transfers that failed since a moment.
    pub(crate) failed: u32,
}

/// Counts; the failed transfers since `since`.
pub(crate) async fn counts(on: &impl ConnectionTrait, since: Timestamp) -> Result<Counts, Error> {
    let text = "SELECT (SELECT COUNT(*) FROM account) AS accounts,
        (SELECT COUNT(*) FROM device WHERE revoked_at IS NULL) AS devices,
        (SELECT COUNT(*) FROM device WHERE revoked_at IS NULL AND kind = 'agent') AS machines,
        (SELECT COUNT(*) FROM transfer WHERE ended >= $1 AND state = 'failed') AS failed";
    let row = one(on, text, since.0).await?;
    Ok(Counts {
        accounts: number(row.try_get("", "accounts")?)?,
        devices: number(row.try_get("", "devices")?)?,
        machines: number(row.try_get("", "machines")?)?,
        failed: number(row.try_get("", "failed")?)?,
    })
}

async fn one(on: &impl ConnectionTrait, text: &str, value: i64) -> Result<QueryResult, Error> {
    let row = on.query_one_raw(sql(text, on, [value.into()])).await?;
    row.ok_or_else(|| Error::bad_row("count"))
}

/// How much is stored, of all accounts. Reads an index of all versions: not for every request.
pub(crate) async fn stored(on: &impl ConnectionTrait) -> Result<Stored, Error> {
    let text = "SELECT (SELECT CAST(COALESCE(SUM(size), 0) AS BIGINT) FROM version) AS content,
        (SELECT CAST(COALESCE(SUM(used), 0) AS BIGINT) FROM space_usage) AS distinct_len,
        (SELECT CAST(COALESCE(SUM(bytes), 0) AS BIGINT) FROM pack) AS disk";
    let row = on.query_one_raw(sql(text, on, [])).await?;
    stored_of(&row.ok_or_else(|| Error::bad_row("sum"))?)
}

fn stored_of(row: &QueryResult) -> Result<Stored, Error> {
    Ok(Stored {
        content: number(row.try_get("", "content")?)?,
        unique: number(row.try_get("", "distinct_len")?)?,
        disk: number(row.try_get("", "disk")?)?,
    })
}

/// Records a sample at each grain: traffic adds up, of who is online the most counts, and the newest of all else.
pub(crate) async fn record(txn: &Txn, sample: &Sample) -> Result<(), Error> {
    let text = "INSERT INTO sample (grain, slot, at, content, distinct_len, disk, received, sent, online)
        VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
        ON CONFLICT (grain, slot) DO UPDATE SET at = excluded.at, content = excluded.content,
        distinct_len = excluded.distinct_len, disk = excluded.disk,
        received = sample.received + excluded.received, sent = sample.sent + excluded.sent,
        online = CASE WHEN sample.online > excluded.online THEN sample.online ELSE excluded.online END";
    for grain in Grain::ALL {
        let values = [
            grain.len().into(),
            sample.at.0.div_euclid(grain.len()).into(),
            sample.at.0.into(),
            column(sample.stored.content).into(),
            column(sample.stored.unique).into(),
            column(sample.stored.disk).into(),
            column(sample.received).into(),
            column(sample.sent).into(),
            i64::from(sample.online).into(),
        ];
        txn.execute_raw(sql(text, txn, values)).await?;
    }
    Ok(())
}

/// The samples of the span that ends now, oldest first.
pub(crate) async fn history(on: &impl ConnectionTrait, span: Span, now: Timestamp) -> Result<Vec<Sample>, Error> {
    let (grain, len) = Grain::of(span);
    let text = "SELECT at, content, distinct_len, disk, received, sent, online FROM sample
        WHERE grain = $1 AND at >= $2 ORDER BY slot";
    let rows = on
        .query_all_raw(sql(text, on, [grain.len().into(), now.before(len).0.into()]))
        .await?;
    rows.iter().map(sample).collect()
}

fn sample(row: &QueryResult) -> Result<Sample, Error> {
    Ok(Sample {
        at: Timestamp(row.try_get("", "at")?),
        stored: stored_of(row)?,
        received: number(row.try_get("", "received")?)?,
        sent: number(row.try_get("", "sent")?)?,
        online: number(row.try_get("", "online")?)?,
    })
}

/// Removes the samples that no span shows.
pub(crate) async fn sweep(txn: &Txn, now: Timestamp) -> Result<(), Error> {
    for grain in Grain::ALL {
        let Some(kept) = grain.kept() else { continue };
        let text = "DELETE FROM sample WHERE grain = $1 AND at < $2";
        txn.execute_raw(sql(text, txn, [grain.len().into(), now.before(kept).0.into()]))
            .await?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::Clock, store::testing::Fixture};

    const FIVE_MINUTES: Duration = Duration::from_secs(300);

    async fn add(fixture: &Fixture, sent: u64) {
        let sample = Sample {
            at: fixture.clock.now(),
            stored: Stored {
                content: sent,
                ..Stored::default()
            },
            received: 1,
            sent,
            online: u32::try_from(sent % 7).unwrap(),
        };
        let txn = fixture.store.meta.write().await.unwrap();
        record(&txn, &sample).await.unwrap();
        sweep(&txn, sample.at).await.unwrap();
        txn.commit().await.unwrap();
    }

    #[tokio::test]
    async fn a_day_is_shown_in_five_minutes_and_a_month_in_three_hours_that_add_up() {
        let fixture = Fixture::new().await;
        for sent in 0..3 * 288 {
            add(&fixture, sent).await;
            fixture.clock.advance(FIVE_MINUTES);
        }
        let now = fixture.clock.now();
        let read = fixture.store.meta.read();
        let day = history(read, Span::Day, now).await.unwrap();
        assert_eq!(day.len(), 288);
        assert!(day.is_sorted_by_key(|sample| sample.at) && day[287].stored.content == 863);
        let month = history(read, Span::Month, now).await.unwrap();
        assert!((24..=25).contains(&month.len()), "{}", month.len());
        assert_eq!(month.iter().map(|sample| sample.received).sum::<u64>(), 3 * 288);
        let year = history(read, Span::Year, now).await.unwrap();
        assert_eq!(
            year.iter().map(|sample| sample.sent).sum::<u64>(),
            (0..3 * 288).sum::<u64>()
        );
        let fine = fixture
            .store
            .meta
            .number("SELECT COUNT(*) AS number FROM sample WHERE grain = 300000")
            .await;
        assert!((576..=577).contains(&fine), "two days are kept: {fine}");
    }
}
