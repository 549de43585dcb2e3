//! The one-time code that makes the first account.

use std::{
    sync::{Mutex, PoisonError},
    time::Duration,
};

use anyhow::Context;
use beckon_shared::{id::Hash, join::SetupCode, time::Timestamp, wire};

use crate::{
    clock::{Clock, SystemClock, random},
    config::Config,
    store::{
        Error,
        meta::{self, Meta, setting::Setting},
    },
};

/// How long a code counts.
const LIFE: Duration = Duration::from_secs(15 * 60);

/// The hash of a code, and when the code ends.
type Issued = (Hash, Timestamp);

/// The code that the running server printed; only its hash, in memory.
#[derive(Debug, Default)]
pub(crate) struct SetUp {
    issued: Mutex<Option<Issued>>,
}

impl SetUp {
    /// Makes a code to print.
    pub(crate) fn issue(&self, clock: &dyn Clock) -> SetupCode {
        let code = SetupCode::new(random(clock));
        *self.issued.lock().unwrap_or_else(PoisonError::into_inner) = Some((code.hash(), clock.now() + LIFE));
        code
    }

    /// Whether this is the code that was printed, or the one that `reset-setup` left in the database. That one ends what
    /// was printed before it.
    pub(crate) async fn accepts(&self, meta: &Meta, text: &str, now: Timestamp) -> Result<bool, Error> {
        let Ok(code) = SetupCode::parse(text) else {
            return Ok(false);
        };
        let printed = *self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        let reset = meta::setting::get(meta.read(), Setting::SetUpCode).await?;
        let reset: Option<Issued> = reset.and_then(|bytes| wire::decode(&bytes).ok());
        let printed = printed.filter(|(_, end)| reset.is_none_or(|(_, newer)| newer < *end));
        Ok([printed, reset]
            .into_iter()
            .flatten()
            .any(|(hash, end)| now <= end && code.matches(&hash)))
    }
}

/// What `beckon-server reset-setup` did.
#[derive(Debug)]
pub enum Reset {
    /// The new code.
    Code(String),
    /// There is an account already, so no code would count.
    HasAccount,
}

/// Leaves a new code in the database, for the server that runs on it or will; as long as there is no account.
pub async fn reset(config: &Config) -> anyhow::Result<Reset> {
    let clock = SystemClock;
    config.expect_data()?;
    let meta = Meta::open(&config.database_url())
        .await
        .context("the database cannot be opened; check --data and --database")?;
    if meta::account::count(meta.read()).await? > 0 {
        return Ok(Reset::HasAccount);
    }
    let code = leave(&meta, &clock).await?;
    meta.close().await?;
    Ok(Reset::Code(code.text().to_string()))
}

async fn leave(meta: &Meta, clock: &dyn Clock) -> Result<SetupCode, Error> {
    let code = SetupCode::new(random(clock));
    let issued: Issued = (code.hash(), clock.now() + LIFE);
    let txn = meta.write().await?;
    meta::setting::set(&txn, Setting::SetUpCode, wire::encode(&issued)).await?;
    txn.commit().await?;
    Ok(code)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::fake::FakeClock, config::Cli};

    const MINUTE: Duration = Duration::from_secs(60);

    #[tokio::test]
    async fn each_code_counts_for_fifteen_minutes_and_a_reset_ends_what_was_printed_before() {
        let folder = tempfile::tempdir().unwrap();
        let meta = Meta::open(&format!("sqlite:{}", folder.path().join("meta.sqlite").display()))
            .await
            .unwrap();
        let (set_up, clock) = (SetUp::default(), FakeClock::new());
        let accepts = async |code: &SetupCode| {
            set_up
                .accepts(&meta, &code.text().to_lowercase(), clock.now())
                .await
                .unwrap()
        };

        let leaked = set_up.issue(&clock);
        assert!(accepts(&leaked).await);
        let reset = leave(&meta, &clock).await.unwrap();
        assert!(accepts(&reset).await && !accepts(&leaked).await);
        clock.advance(MINUTE);
        let printed_at_the_next_start = set_up.issue(&clock);
        assert!(accepts(&reset).await && accepts(&printed_at_the_next_start).await);
        clock.advance(LIFE);
        assert!(!accepts(&reset).await && accepts(&printed_at_the_next_start).await);
        clock.advance(MINUTE);
        assert!(!accepts(&printed_at_the_next_start).await);
        assert!(!set_up.accepts(&meta, "no code", clock.now()).await.unwrap());
    }

    #[tokio::test]
    async fn a_folder_without_a_server_gets_no_code() {
        let folder = tempfile::tempdir().unwrap();
        let typo = folder.path().join("typo");
        let args = ["beckon-server".into(), "--data".into(), typo.clone().into_os_string()];
        let refused = reset(&Cli::load(args).unwrap().config).await.unwrap_err();
        assert!(refused.to_string().contains("no server's data"), "{refused}");
        assert!(!typo.exists());
    }
}
