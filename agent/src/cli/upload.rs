//! `beckon upload`: orders a machine, signed by this device, to store what it holds.

use std::{collections::BTreeMap, ffi::OsString, time::Duration};

use beckon_shared::{
    browse::Ask,
    id::{DeviceId, Hash, RootId},
    order::{LONGEST_WAIT, Order, OrderBody, Selection, SignedOrder, UploadOrder},
    path::{Label, RootPath},
    signature::Signed,
    transfer::TransferView,
    wire::Request,
};

use super::{
    Here,
    control::{self, Control},
    ls,
    place::Live,
    span,
    transfer::{self, TransferJson},
};
use crate::{
    clock,
    http::Api,
    output::{Exit, Failure, remark},
    state::Controller,
};

/// What people are shown of a selection has at most so many bytes (`wire::Request::PlaceOrder`).
const WHAT_MAX: usize = 200;

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
    let mut control = Control::open(here, &controller).await?;
    let selected = resolve(&control, places)?;
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
            *transfer = transfer::until_over(here, &mut control, transfer.clone()).await?;
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
                    "name a root of {machine}, as in {machine}:ROOT; see: beckon ls {machine}"
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
        let named: Vec<&RootPath> = paths.iter().filter(|path| !path.is_root()).collect();
        if named.is_empty() || !machine.online {
            continue;
        }
        let session = control.session(machine).await?;
        for path in named {
            let ask = Ask::Stat {
                root: *root,
                path: path.clone(),
            };
            session.ask(ask).await.map_err(|refusal| ls::explain(refusal, path))?;
        }
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
        let what = what(&paths);
        let (selection, detached) = Selection::of(paths);
        if let Some(bytes) = detached {
            api.put_bytes(&format!("/api/selections/{}", Hash::of(&bytes)), bytes)
                .await?;
        }
        let order = Box::new(self.sign(selection)?);
        control.place(Request::PlaceOrder { order, what }).await
    }

    fn sign(&self, selection: Selection) -> Result<SignedOrder, Failure> {
        let sign_in = self.controller.sign_in.as_ref().ok_or_else(Failure::not_signed_in)?;
        let account = self.controller.account();
        let issued = clock::now();
        let order = Order {
            suite: 0,
            signer: self.controller.keys.id(),
            signer_account: account,
            target_account: account,
            target: self.device,
            id: clock::new_transfer_id(),
            issued,
            expires: issued + self.life,
            body: OrderBody::Upload(UploadOrder {
                root: self.root,
                root_name: self.root_name.clone(),
                space: self.controller.space,
                selection,
            }),
        };
        Ok(SignedOrder {
            order: Signed::sign(&order, self.controller.keys.signing()),
            signer: sign_in.chain.clone(),
        })
    }
}

/// The selection for people: as many paths as fit, and how many more there are.
fn what(paths: &[RootPath]) -> String {
    let mut text = String::new();
    for (at, path) in paths.iter().enumerate() {
        let more = format!(" and {} more", paths.len() - at);
        let next = if at == 0 {
            path.display()
        } else {
            format!(", {}", path.display())
        };
        let is_last = at + 1 == paths.len();
        let room = if is_last {
            WHAT_MAX
        } else {
            WHAT_MAX - format!(" and {} more", paths.len()).len()
        };
        if text.len() + next.len() <= room {
            text.push_str(&next);
        } else if at == 0 {
            text = shorten(&next, WHAT_MAX - more.len() - '…'.len_utf8());
        } else {
            text.push_str(&more);
            break;
        }
    }
    text
}

/// The end of a path tells more than its start.
fn shorten(text: &str, max: usize) -> String {
    let mut from = text.len().saturating_sub(max);
    while !text.is_char_boundary(from) {
        from += 1;
    }
    format!("…{}", &text[from..])
}

/// Tells how the transfers stand; ends as the worst of them did.
pub(super) fn report(
    here: &Here,
    control: &Control<'_>,
    transfers: &[TransferView],
    waited: bool,
) -> Result<Exit, Failure> {
    let seen = |transfer: &TransferView| control.last_seen(transfer.device);
    match transfers {
        [one] => transfer::report(here, one, seen(one))?,
        many if here.out.is_json() => {
            let rows = many.iter().map(|one| TransferJson::seen(one, seen(one)));
            here.out.json_line(&rows.collect::<Vec<_>>())?;
        }
        many => many.iter().try_for_each(|one| transfer::report(here, one, seen(one)))?,
    }
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
        .map(|transfer| transfer::exit_of(transfer.state))
        .max_by_key(worst)
        .unwrap_or(Exit::Done))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn paths(texts: &[&str]) -> Vec<RootPath> {
        texts.iter().map(|text| RootPath::new(*text).unwrap()).collect()
    }

    #[test]
    fn a_selection_is_told_by_its_paths() {
        assert_eq!(what(&paths(&["a/b"])), "a/b");
        assert_eq!(what(&paths(&["a", "b"])), "a, b");
        assert_eq!(what(&paths(&[""])), "");
        let long = "x".repeat(90);
        assert_eq!(
            what(&paths(&[&long, &long, &long])),
            format!("{long}, {long} and 1 more")
        );
    }

    proptest! {
        #[test]
        fn what_is_told_always_fits(names in proptest::collection::vec("[a-zé/]{1,300}", 1..40)) {
            let paths: Vec<RootPath> = names.iter().filter_map(|name| RootPath::new(name.as_str()).ok()).collect();
            prop_assert!(what(&paths).len() <= WHAT_MAX);
        }
    }
}
