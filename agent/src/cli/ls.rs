//! `beckon ls`: a folder of a live machine, with what the drive holds of it beside each entry.

mod row;
mod standing;

use std::ffi::OsString;

use beckon_shared::{
    browse::{Answer, Ask, ListAsk, PAGE_MAX, Page},
    device::DeviceView,
    entry::{Direction, EntryKind, SortKey},
    error::{ErrorCode, Refusal},
    id::RootId,
    path::RootPath,
};
use futures_util::future::join;
use serde::Serialize;

use self::{row::Row, standing::Folder};
use super::{
    Here,
    control::{self, Control},
    place::{Live, LiveRef},
};
use crate::{
    http::Api,
    output::{Exit, Failure, Table, visible},
    session::Reach,
};

/// The first page is small, so that something is seen at once. Bytes.
const FIRST_PAGE: u32 = 32 * 1024;
/// An entry's encoding is about so long; only a guess for short listings. Bytes.
const ENTRY_GUESS: u64 = 160;

/// What `ls` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// MACHINE, MACHINE:ROOT, MACHINE:ROOT/PATH or a ref; without a root the roots are listed
    place: OsString,
    /// What the entries are sorted by; folders always come first
    #[arg(long, value_enum, default_value = "name")]
    sort: Sort,
    /// Largest or newest first
    #[arg(long)]
    desc: bool,
    /// List at most so many entries
    #[arg(long, value_name = "N")]
    limit: Option<u64>,
    /// Leave out the first so many
    #[arg(long, value_name = "N", default_value_t = 0)]
    offset: u64,
}

#[derive(Debug, Clone, Copy, clap::ValueEnum)]
enum Sort {
    Name,
    Size,
    Time,
}

impl Args {
    fn ask(&self, place: &LiveRef) -> ListAsk {
        let sort = match self.sort {
            Sort::Name => SortKey::Name,
            Sort::Size => SortKey::Size,
            Sort::Time => SortKey::Time,
        };
        ListAsk {
            root: place.root,
            path: place.path.clone(),
            sort,
            direction: if self.desc {
                Direction::Descending
            } else {
                Direction::Ascending
            },
            offset: self.offset,
            max_bytes: self.page_bytes(FIRST_PAGE),
            snapshot: None,
        }
    }

    /// A short listing does not make the machine look at more than is wanted.
    fn page_bytes(&self, most: u32) -> u32 {
        let wanted = self
            .limit
            .map_or(u64::from(most), |limit| limit.saturating_mul(ENTRY_GUESS).max(4096));
        u32::try_from(wanted).unwrap_or(most).min(most)
    }
}

/// Lists roots, a folder, or one entry.
pub(crate) async fn run(here: &Here, args: Args) -> Result<Exit, Failure> {
    let place = Live::parse(&args.place)?;
    let controller = here.controller()?;
    let api = here.api(&controller)?;
    let control = Control::open_even_alone(here, &controller, &place).await?;
    let machine = control.meant(&place)?;
    let reach = control.reach(machine).await?;
    let place = match place {
        Live::Machine(_) => return roots(here, machine, &reach).await,
        Live::Inside { root, path, .. } => LiveRef {
            device: machine.id,
            root: control::root_of(machine, &root)?,
            path,
        },
        Live::Ref(token) => token,
    };
    let mut listing = Listing {
        here,
        args: &args,
        api: Some(&api).filter(|_| !control.is_alone()),
        reach: &reach,
        asks_machine: is_busy(&control, machine, &place),
        place,
    };
    let (first, leaves_out) = join(listing.first_page(), leaves_out(&reach, listing.place.root)).await;
    listing.asks_machine |= leaves_out;
    match first {
        Ok(first) => listing.print_folder(first).await?,
        Err(failure) => listing.print_entry(failure).await?,
    }
    reach.close();
    control.close().await;
    Ok(Exit::Done)
}

/// Whether the root leaves anything out. A machine that cannot say has no such patterns.
async fn leaves_out(reach: &Reach, root: RootId) -> bool {
    matches!(reach.ask(Ask::Ignore { root }).await, Ok(Answer::Ignore(patterns)) if !patterns.trim().is_empty())
}

/// Whether a transfer of this root is under way, so that only the machine knows which entries it covers.
fn is_busy(control: &Control<'_>, machine: &DeviceView, place: &LiveRef) -> bool {
    let root = machine
        .roots
        .iter()
        .find(|root| root.id == place.root)
        .map(|root| root.name.as_str());
    let covers = |name: &str| root.is_none_or(|root| root == name);
    control
        .transfers()
        .iter()
        .any(|transfer| transfer.device == machine.id && !transfer.state.is_over() && covers(&transfer.root))
}

/// A root for programs.
#[derive(Debug, Serialize)]
struct RootJson {
    name: String,
    kind: &'static str,
    id: String,
    writable: bool,
    #[serde(rename = "ref")]
    token: String,
}

async fn roots(here: &Here, machine: &DeviceView, reach: &Reach) -> Result<Exit, Failure> {
    let Answer::Roots(roots) = reach.ask(Ask::Roots).await? else {
        return Err(misunderstood());
    };
    let rows: Vec<RootJson> = roots
        .iter()
        .map(|root| RootJson {
            name: root.name.to_string(),
            kind: "root",
            id: root.id.to_string(),
            writable: root.writable,
            token: LiveRef {
                device: machine.id,
                root: root.id,
                path: RootPath::root(),
            }
            .token(),
        })
        .collect();
    here.out.list(&rows, || {
        let mut table = Table::new(&["ROOT", "WRITABLE"], &[]);
        for root in &roots {
            table.row([
                visible(root.name.as_str().as_bytes()),
                if root.writable { "yes" } else { "no" }.to_owned(),
            ]);
        }
        table
    })?;
    Ok(Exit::Done)
}

/// What was typed may be wrong; a listing that goes out of date is the rarer cause.
pub(super) fn explain(refusal: Refusal, path: &RootPath) -> Failure {
    match refusal.code {
        ErrorCode::NotFound => control::not_found(format!(
            "{} is not there; check the path, or list the folder above it",
            visible(path.as_bytes())
        )),
        _ => refusal.into(),
    }
}

pub(super) fn misunderstood() -> Failure {
    Failure::local(
        "not-beckon",
        "the machine answered something else than was asked; update the older of both programs",
    )
}

/// A listing under way.
struct Listing<'a> {
    here: &'a Here,
    args: &'a Args,
    /// Absent while the server cannot be reached.
    api: Option<&'a Api>,
    reach: &'a Reach,
    place: LiveRef,
    /// What the drive does not hold may be on its way, or left out: only the machine knows.
    asks_machine: bool,
}

impl Listing<'_> {
    async fn first_page(&self) -> Result<Page, Failure> {
        self.page(self.args.ask(&self.place)).await
    }

    async fn page(&self, ask: ListAsk) -> Result<Page, Failure> {
        match self.reach.ask(Ask::List(ask)).await? {
            Answer::Page(page) => Ok(page),
            _ => Err(misunderstood()),
        }
    }

    /// Prints page after page; the next one is asked for while this one is compared.
    async fn print_folder(&self, first: Page) -> Result<(), Failure> {
        let folder = self.folder(&self.place.path);
        let mut left = self.args.limit.unwrap_or(u64::MAX);
        let mut rows = self.here.out.rows();
        let mut page = first;
        while left > 0 {
            page.entries.truncate(usize::try_from(left).unwrap_or(usize::MAX));
            left -= page.entries.len() as u64;
            let goes_on = left > 0 && page.next < page.total && page.next > page.offset;
            let next = async {
                if goes_on {
                    self.page(self.next(&page)).await.map(Some)
                } else {
                    Ok(None)
                }
            };
            let (states, next) = futures_util::future::try_join(folder.states(&page.entries), next).await?;
            for (entry, state) in page.entries.iter().zip(states) {
                let row = Row::new(&self.place, &self.place.path, entry, state)?;
                rows.push(&row, || row.text())?;
            }
            rows.flush()?;
            match next {
                Some(next) => page = next,
                None => break,
            }
        }
        rows.finish()
    }

    fn folder<'b>(&'b self, path: &'b RootPath) -> Folder<'b> {
        Folder {
            api: self.api,
            reach: self.reach,
            place: &self.place,
            path,
            asks_machine: self.asks_machine,
        }
    }

    fn next(&self, page: &Page) -> ListAsk {
        ListAsk {
            offset: page.next,
            snapshot: Some(page.snapshot),
            max_bytes: self.args.page_bytes(PAGE_MAX),
            ..self.args.ask(&self.place)
        }
    }

    /// What could not be listed as a folder may be one entry, or not be there at all.
    async fn print_entry(&self, failure: Failure) -> Result<(), Failure> {
        let Some((folder, _)) = self.place.path.split_last() else {
            return Err(failure);
        };
        if failure.is(ErrorCode::Away) {
            return Err(failure);
        }
        let ask = Ask::Stat {
            root: self.place.root,
            path: self.place.path.clone(),
        };
        let answer = self
            .reach
            .ask(ask)
            .await
            .map_err(|refusal| explain(refusal, &self.place.path))?;
        let Answer::Page(page) = answer else {
            return Err(misunderstood());
        };
        let Some(entry) = page.entries.first().filter(|entry| entry.kind != EntryKind::Folder) else {
            return Err(failure);
        };
        let states = self.folder(&folder).states(std::slice::from_ref(entry)).await?;
        let mut rows = self.here.out.rows();
        for state in states {
            let row = Row::new(&self.place, &folder, entry, state)?;
            rows.push(&row, || row.text())?;
        }
        rows.finish()
    }
}
