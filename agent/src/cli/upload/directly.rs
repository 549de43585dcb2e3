//! Orders that are given to the machines themselves, in their own network, while the server cannot be reached.

use std::collections::{HashMap, hash_map::Entry};

use beckon_shared::{
    browse::{Answer, Ask, BESIDE_MAX},
    device::DeviceView,
    error::{ErrorCode, Refusal},
    id::{DeviceId, RootId, TransferId},
    order::{Selection, what},
    path::RootPath,
    transfer::{Hold, Priority, Progress, Task, TransferState, TransferView},
};

use super::{Draft, Selected, print};
use crate::{
    cli::{Here, control::Control, ls},
    output::{Exit, Failure, remark},
    session::Reach,
    state::Controller,
};

/// Gives each order to its machine, which shows it to the server as soon as it reaches it. None is given before all that is
/// to be stored was found, and what was given is told whatever becomes of the others.
pub(super) async fn give(
    here: &Here,
    control: &Control<'_>,
    controller: &Controller,
    selected: Selected,
    args: &super::Args,
) -> Result<Exit, Failure> {
    let (mut drafts, mut reached) = (Vec::new(), HashMap::new());
    for ((device, root), (root_name, paths)) in selected {
        let machine = control.machine_of(device)?;
        let reach = reach(control, &mut reached, machine).await?;
        check(&reach, root, &paths).await?;
        let draft = Draft {
            controller,
            device,
            root,
            root_name,
            life: args.expires,
        };
        drafts.push((draft, reach, machine, paths));
    }
    let (mut transfers, mut failed) = (Vec::new(), None);
    for (draft, reach, machine, paths) in drafts {
        match draft.give(&reach, machine, paths).await {
            Ok(transfer) => transfers.push(transfer),
            Err(failure) => {
                failed = Some(failure);
                break;
            }
        }
    }
    if !transfers.is_empty() {
        print(here, control, &transfers)?;
    }
    if let Some(failure) = failed {
        return Err(failure);
    }
    if args.wait {
        return Err(cannot_wait());
    }
    remark(
        here.out,
        "the order stands in the machine's journal; the server learns of it from the machine. See later: beckon transfers",
    );
    Ok(Exit::Done)
}

async fn reach(
    control: &Control<'_>,
    reached: &mut HashMap<DeviceId, Reach>,
    machine: &DeviceView,
) -> Result<Reach, Failure> {
    Ok(match reached.entry(machine.id) {
        Entry::Occupied(known) => known.get().clone(),
        Entry::Vacant(new) => new.insert(control.reach(machine).await?).clone(),
    })
}

/// Asks whether what is to be stored is there, so that a typing error is told at once.
pub(super) async fn check(reach: &Reach, root: RootId, paths: &[RootPath]) -> Result<(), Failure> {
    for path in paths.iter().filter(|path| !path.is_root()) {
        let ask = Ask::Stat {
            root,
            path: path.clone(),
        };
        reach.ask(ask).await.map_err(|refusal| ls::explain(refusal, path))?;
    }
    Ok(())
}

impl Draft<'_> {
    /// Signs the order and gives it to its machine; it is in the journal then.
    async fn give(&self, reach: &Reach, machine: &DeviceView, paths: Vec<RootPath>) -> Result<TransferView, Failure> {
        let what = what(&paths, paths.len() as u64);
        let (selection, beside) = Selection::of(paths);
        let (order, signed) = self.sign(selection)?;
        let order_ask = match beside {
            None => Ask::Order(Box::new(signed)),
            Some(selection) if selection.len() > BESIDE_MAX => return Err(too_much()),
            Some(selection) => Ask::OrderWith {
                order: Box::new(signed),
                selection,
            },
        };
        let given = reach.ask(order_ask).await;
        let Answer::Done = given.map_err(|refusal| not_given(refusal, order.id))? else {
            return Err(ls::misunderstood());
        };
        Ok(TransferView {
            id: order.id,
            device: order.target,
            machine: machine.name.to_string(),
            root: self.root_name.to_string(),
            what,
            state: TransferState::Queued,
            hold: Hold::None,
            progress: Progress::default(),
            error: None,
            created: order.issued,
            expires: order.expires,
            ended: None,
            revision: 0,
            priority: Priority::default(),
            task: Task::Upload,
            from: None,
            root_id: order.body.root(),
            origin: None,
        })
    }
}

/// A machine that fell silent may have taken the order all the same.
fn not_given(refusal: Refusal, id: TransferId) -> Failure {
    if refusal.code != ErrorCode::Away {
        return refusal.into();
    }
    let advice = format!(
        "the machine did not say whether it took order {id}, which may stand in its journal; look for it with beckon transfers before you give another one"
    );
    Failure {
        retry: false,
        ..Refusal::new(ErrorCode::Away, advice).into()
    }
}

fn too_much() -> Failure {
    Failure::local(
        "too-large",
        "this selection is too long to be given without the server; name a folder above, or upload in parts",
    )
}

fn cannot_wait() -> Failure {
    let message = "the order stands in the machine's journal, but without the server nothing is heard of how far it is; once the server can be reached, wait with: beckon wait ID";
    Failure {
        retry: false,
        ..Failure::local("unreachable", message)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    #[test]
    fn whoever_gave_an_order_to_a_machine_that_fell_silent_is_told_its_id() {
        let id = TransferId::new(clock::now(), [7; 10]);
        let silent = not_given(Refusal::new(ErrorCode::Away, "try again"), id);
        assert!(silent.is(ErrorCode::Away) && !silent.retry);
        assert!(silent.message.contains(&id.to_string()), "{}", silent.message);
        let refused = not_given(Refusal::new(ErrorCode::TooMany, "too many"), id);
        assert_eq!(refused.message, "too many");
    }
}
