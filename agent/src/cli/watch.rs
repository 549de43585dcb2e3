//! `beckon watch`: has a machine keep a root stored, from now on.

use std::ffi::OsString;

use beckon_shared::{
    order::{OrderBody, WatchOrder},
    transfer::Task,
};

use super::{
    Here,
    control::{self, Control},
    order::{Draft, Spot},
    place::Live,
    transfer,
};
use crate::output::{Exit, Failure};

/// Ends the help.
const EXAMPLES: &str = "\
Examples:
  beckon watch desk:Documents --wait
  beckon watch desk:Documents --stop

What it is to leave out: beckon ignore desk:Documents --add '*.tmp'";

/// What `watch` is told.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLES)]
pub(crate) struct Args {
    /// MACHINE:ROOT or a ref
    #[arg(value_name = "MACHINE:ROOT")]
    root: OsString,
    /// Wait until all that the root holds now is stored; ends with 5 if some files could not be
    #[arg(long, conflicts_with = "stop")]
    wait: bool,
    /// Watch it no longer; what is stored stays
    #[arg(long)]
    stop: bool,
}

/// Orders the watch, unless it stands already, or ends it.
pub(crate) async fn run(here: &Here, args: Args) -> Result<Exit, Failure> {
    let place = Live::parse(&args.root)?;
    let controller = here.controller()?;
    let api = here.api(&controller)?;
    let mut control = Control::open(here, &controller).await?;
    let root = Spot::find(&control, &place)?;
    root.must_be_whole("watched")?;
    let standing = root.open_transfer(&control, Task::Watch).cloned();
    if args.stop {
        control.close().await;
        let standing = standing.ok_or_else(|| not_watched(&root))?;
        return transfer::stop(here, standing.id).await;
    }
    let placed = match standing {
        Some(standing) => standing,
        None => {
            let body = OrderBody::Watch(WatchOrder {
                root: root.at.root,
                root_name: root.root_name.clone(),
                space: controller.space,
            });
            let draft = Draft::patient(&controller, root.at.device);
            draft.place(&api, &mut control, body, root.what(), None).await?
        }
    };
    transfer::tell(here, &mut control, placed, args.wait).await
}

fn not_watched(root: &Spot) -> Failure {
    control::not_found(format!("{} is not watched; see: beckon transfers", root.text()))
}
