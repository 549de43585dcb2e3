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
    serve::make_private,
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

    /// Whether this is the code that was printed, or the one that `reset-setup` left in the database.
    pub(crate) async fn accepts(&self, meta: &Meta, text: &str, now: Timestamp) -> Result<bool, Error> {
        let Ok(code) = SetupCode::parse(text) else { return Ok(false) };
        let printed = *self.issued.lock().unwrap_or_else(PoisonError::into_inner);
        let reset = meta::setting::get(meta.read(), Setting::SetUpCode).await?;
        let reset: Option<Issued> = reset.and_then(|bytes| wire::decode(&bytes).ok());
        Ok([printed, reset].into_iter().flatten().any(|(hash, end)| now <= end && code.matches(&hash)))
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
    make_private(&config.data_dir()).context("the data folder cannot be made; choose another --data")?;
    let meta = Meta::open(&config.database_url()).await.context("the database cannot be opened; check --data and --database")?;
    if meta::account::count(meta.read()).await? > 0 {
        return Ok(Reset::HasAccount);
    }
    let code = SetupCode::new(random(&clock));
    let issued: Issued = (code.hash(), clock.now() + LIFE);
    let txn = meta.write().await?;
    meta::setting::set(&txn, Setting::SetUpCode, wire::encode(&issued)).await?;
    txn.commit().await?;
    meta.close().await?;
    Ok(Reset::Code(code.text().to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{clock::fake::FakeClock, config::Cli};

    #[tokio::test]
    async fn a_printed_code_counts_for_fifteen_minutes_and_so_does_one_of_reset_setup() {
        let folder = tempfile::tempdir().unwrap();
        let data = folder.path().display().to_string();
        let config = Cli::load(["beckon-server", "--data", &data]).unwrap().config;
        let Reset::Code(reset_code) = reset(&config).await.unwrap() else { panic!("there is no account") };
        let meta = Meta::open(&config.database_url()).await.unwrap();
        let (set_up, clock) = (SetUp::default(), FakeClock::new());
        let printed = set_up.issue(&clock);
        let now = clock.now();
        let accepts = async |text: &str, now| set_up.accepts(&meta, text, now).await.unwrap();
        assert!(accepts(&printed.text().to_lowercase(), now).await);
        assert!(!accepts(&printed.text(), now + LIFE + Duration::from_millis(1)).await);
        assert!(accepts(&reset_code, SystemClock.now()).await);
        assert!(!accepts(&reset_code, SystemClock.now() + LIFE + LIFE).await);
        assert!(!accepts("no code", now).await);
    }
}
