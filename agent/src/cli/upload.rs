//! `beckon upload`: orders a machine, signed by this device, to store what it holds.

mod directly;

use std::{collections::BTreeMap, ffi::OsString, time::Duration};

use beckon_shared::{
    id::{DeviceId, RootId},
    order::{LONGEST_WAIT, Order, OrderBody, Selection, SignedOrder, UploadOrder, what},
    path::{Label, RootPath},
    transfer::TransferView,
};

use super::{
    Here,
    control::{self, Control},
    order,
    place::Live,
    span,
    transfer::{self, TransferJson},
    word::word,
};
use crate::{
    http::Api,
    output::{Exit, Failure, remark},
    state::Controller,
};

/// What `upload` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// MACHINE:ROOT, MACHINE:ROOT/PATH or a ref; folders with all that is below them
    #[arg(required = true, value_name = "MACHINE:ROOT/PATH")]
    places: Vec<OsString>,
    /// Wait until it is over; ends with 5 if some files could not be stored
    #[arg(long)]
    wait: bool,
    /// How long the order may wait for the machine: 15m, 24h, 30d
    #[arg(long, value_name = "SPAN", default_value = "30d", value_parser = span::span)]
    expires: Duration,
}

/// What is to be stored of each root: one order for each.
type Selected = BTreeMap<(DeviceId, RootId), (Label, Vec<RootPath>)>;

/// Places the orders, and waits for them if that is wanted.
pub(crate) async fn run(here: &Here, args: Args) -> Result<Exit, Failure> {
    if args.expires > LONGEST_WAIT {
        return Err(Failure::usage(
            "an order waits 30 days at the most; give --expires 30d or less",
        ));
    }
    let places = args
        .places
        .iter()
        .map(|place| Live::parse(place))
        .collect::<Result<Vec<_>, _>>()?;
    let controller = here.controller()?;
    let api = here.api(&controller)?;
    let first = places.first().ok_or_else(|| Failure::usage("name what to upload"))?;
    let mut control = Control::open_even_alone(here, &controller, first).await?;
    let selected = resolve(&control, places)?;
    if control.is_alone() {
        return directly::give(here, &control, &controller, selected, &args).await;
    }
    check(&control, &selected).await?;
    let mut transfers = Vec::new();
    for ((device, root), (root_name, paths)) in selected {
        let order = Draft {
            controller: &controller,
            device,
            root,
            root_name,
            life: args.expires,
        };
        transfers.push(order.place(&api, &mut control, paths).await?);
    }
    if args.wait {
        for transfer in &mut transfers {
            *transfer = transfer::until_settled(here, &mut control, transfer.clone()).await?;
        }
    }
    control.close().await;
    report(here, &control, &transfers, args.wait)
}

fn resolve(control: &Control<'_>, places: Vec<Live>) -> Result<Selected, Failure> {
    let mut selected = Selected::new();
    for place in places {
        let (device, root, name, path) = match place {
            Live::Machine(machine) => {
                return Err(Failure::usage(format!(
                    "name a root of {machine}, as in {machine}:ROOT; see: beckon ls {}",
                    word(machine.as_str())
                )));
            }
            Live::Inside { machine, root, path } => {
                let machine = control.machine(&machine)?;
                (machine.id, control::root_of(machine, &root)?, root, path)
            }
            Live::Ref(token) => {
                let machine = control.machine_of(token.device)?;
                (
                    machine.id,
                    token.root,
                    control::root_name(machine, token.root)?,
                    token.path,
                )
            }
        };
        selected
            .entry((device, root))
            .or_insert_with(|| (name, Vec::new()))
            .1
            .push(path);
    }
    Ok(selected)
}

/// Asks each machine that is online whether what is to be stored is there, so that a typing error is told at once.
async fn check(control: &Control<'_>, selected: &Selected) -> Result<(), Failure> {
    for ((device, root), (_, paths)) in selected {
        let machine = control.machine_of(*device)?;
        if paths.iter().all(RootPath::is_root) || !machine.online {
            continue;
        }
        let reach = control.reach(machine).await?;
        directly::check(&reach, *root, paths).await?;
        reach.close();
    }
    Ok(())
}

/// An order to be.
pub(super) struct Draft<'a> {
    /// Who signs.
    pub(super) controller: &'a Controller,
    /// Who is to upload.
    pub(super) device: DeviceId,
    /// What it calls the root, by its id and by its name.
    pub(super) root: RootId,
    pub(super) root_name: Label,
    /// How long the order may wait.
    pub(super) life: Duration,
}

impl Draft<'_> {
    /// Signs the order and places it.
    pub(super) async fn place(
        &self,
        api: &Api,
        control: &mut Control<'_>,
        paths: Vec<RootPath>,
    ) -> Result<TransferView, Failure> {
        let what = what(&paths, paths.len() as u64);
        let (selection, beside) = Selection::of(paths);
        self.order()
            .place(api, control, self.body(selection), what, beside)
            .await
    }

    fn sign(&self, selection: Selection) -> Result<(Order, SignedOrder), Failure> {
        self.order().sign(self.body(selection))
    }

    fn order(&self) -> order::Draft<'_> {
        order::Draft {
            controller: self.controller,
            device: self.device,
            life: self.life,
        }
    }

    fn body(&self, selection: Selection) -> OrderBody {
        OrderBody::Upload(UploadOrder {
            root: self.root,
            root_name: self.root_name.clone(),
            space: self.controller.space,
            selection,
        })
    }
}

/// Prints how the transfers stand.
fn print(here: &Here, control: &Control<'_>, transfers: &[TransferView]) -> Result<(), Failure> {
    let seen = |transfer: &TransferView| control.last_seen(transfer.device);
    match transfers {
        [one] => transfer::report(here, one, seen(one)),
        many if here.out.is_json() => {
            let rows = many.iter().map(|one| TransferJson::seen(one, seen(one)));
            here.out.json_line(&rows.collect::<Vec<_>>())
        }
        many => many.iter().try_for_each(|one| transfer::report(here, one, seen(one))),
    }
}

/// Tells how the transfers stand; ends as the worst of them did.
pub(super) fn report(
    here: &Here,
    control: &Control<'_>,
    transfers: &[TransferView],
    waited: bool,
) -> Result<Exit, Failure> {
    print(here, control, transfers)?;
    if !waited {
        remark(
            here.out,
            "the machine goes on by itself; see how far it is with: beckon transfers",
        );
        return Ok(Exit::Done);
    }
    let worst = |exit: &Exit| {
        [Exit::Done, Exit::Partly, Exit::Failed]
            .iter()
            .position(|one| one == exit)
    };
    Ok(transfers
        .iter()
        .map(transfer::exit_of)
        .max_by_key(worst)
        .unwrap_or(Exit::Done))
}
