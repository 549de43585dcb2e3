//! Who holds copies of what a machine holds, and of what it holds copies itself.

use beckon_shared::{
    id::{DeviceId, RootId, TransferId},
    transfer::TransferView,
};
use leptos::prelude::*;

use super::{
    badge::Badge,
    icon::Icon,
    transfer::{self, Group},
};
use crate::{
    format, route,
    store::{Stores, stores},
    text::{self, sync as words},
};

/// A copy that is kept or being made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Relation {
    id: TransferId,
    /// Whether the copy is on the machine that is looked at, rather than of it.
    is_here: bool,
}

/// The list; nothing where there are no copies.
#[component]
pub(crate) fn Relations(
    /// The machine.
    machine: DeviceId,
    /// One of its roots; all of them if absent.
    root: Option<RootId>,
) -> impl IntoView {
    let stores = stores();
    let all = Memo::new(move |_| related(stores, machine, root));
    let row = move |relation: Relation| {
        let view: Signal<TransferView> = untrack(|| stores.transfers.row(relation.id))?.into();
        Some(view! { <RelationRow relation view/> })
    };
    view! {
        <Show when=move || !all.read().is_empty()>
            <ul class="relations" aria-label=words::relations()>
                <For each=move || all.get() key=|one| (one.id, one.is_here) children=row/>
            </ul>
        </Show>
    }
}

/// The copies of a machine, in both directions; tracks every transfer.
fn related(stores: Stores, machine: DeviceId, root: Option<RootId>) -> Vec<Relation> {
    let mut all = Vec::new();
    stores.transfers.each(|view| all.extend(relations(view, machine, root)));
    all
}

/// How a transfer is related to a machine, or to one of its roots: as a copy there, as a copy of what is there, or both.
fn relations(view: &TransferView, machine: DeviceId, root: Option<RootId>) -> Vec<Relation> {
    let Some(origin) = view.origin.as_ref().filter(|_| !view.state.is_over()) else {
        return Vec::new();
    };
    let is_asked = |device, other| device == machine && root.is_none_or(|root| root == other);
    let ends = [
        (true, is_asked(view.device, view.root_id)),
        (false, is_asked(origin.device, origin.root)),
    ];
    let asked = ends.into_iter().filter(|(_, is_asked)| *is_asked);
    asked.map(|(is_here, _)| Relation { id: view.id, is_here }).collect()
}

#[component]
fn RelationRow(relation: Relation, view: Signal<TransferView>) -> impl IntoView {
    let stores = stores();
    let says = Memo::new(move |_| {
        view.with(|view| match relation.is_here {
            true => words::holds_copy_of(&transfer::from(stores, view)),
            false => words::copied_to(&transfer::to(stores, view)),
        })
    });
    let state = Memo::new(move |_| {
        view.with(|view| {
            // Conflicts have a badge of their own.
            let is_needy = view.progress.conflicts == 0 && transfer::group(stores, view) == Group::NeedsYou;
            (is_needy, transfer::now(view))
        })
    });
    let conflicts = Memo::new(move |_| view.with(|view| view.progress.conflicts));
    let badge = move || {
        let count = conflicts.get();
        let word = text::plural(count, "conflict", "conflicts");
        (count > 0)
            .then(|| view! { <Badge kind="warn" icon="alert" text=words::conflicts(&format::count(count), &word)/> })
    };
    let icon = view.with_untracked(|view| transfer::task_icon(view.task));
    view! {
        <li data-transfer=relation.id.to_string()>
            <Icon name=icon class="sm"/>
            <a class="cut" href=route::transfer(relation.id)><bdi>{move || says.get()}</bdi></a>
            <span class="state nowrap" data-state=move || view.with(transfer::state) class:needy=move || state.get().0>{move || state.get().1}</span>
            {badge}
        </li>
    }
}

#[cfg(test)]
mod tests {
    use beckon_shared::{order::Followed, path::RootPath, transfer::Task};
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;
    use crate::component::transfer::sample;

    #[wasm_bindgen_test]
    fn a_copy_is_found_by_ids_whatever_machines_and_folders_are_called() {
        let (desk, nas) = (DeviceId([1; 32]), DeviceId([2; 32]));
        let (documents, backup) = (RootId([3; 16]), RootId([4; 16]));
        let from = Followed {
            device: desk,
            root: documents,
            path: RootPath::root(),
        };
        let view = TransferView {
            device: nas,
            root_id: backup,
            task: Task::Follow,
            from: Some("a name of before/Documents".to_owned()),
            origin: Some(from),
            ..sample::view()
        };
        let found = |machine, root| {
            let found = relations(&view, machine, root).into_iter();
            found.map(|one| one.is_here).collect::<Vec<_>>()
        };
        assert_eq!(found(desk, None), [false]);
        assert_eq!(found(desk, Some(documents)), [false]);
        assert_eq!(found(nas, Some(backup)), [true]);
        assert_eq!(found(nas, Some(documents)), [] as [bool; 0]);
        assert_eq!(found(DeviceId([9; 32]), None), [] as [bool; 0]);
    }
}
