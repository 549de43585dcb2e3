//! Who has an account: devices, how much is stored, and what an administrator can change.

use beckon_shared::{
    api::admin::{AccountRow, ChangeAccount},
    id::AccountId,
};
use leptos::{prelude::*, task::spawn_local};

use super::{
    account_dialog::{AccountDialogs, Asked},
    invite::InviteButton,
    watch::Watch,
};
use crate::{
    component::{
        account_menu::initials,
        badge::Badge,
        dialog::ProblemLine,
        icon::Icon,
        menu::{Entry, MenuButton},
        progress::Progress,
        time::Ago,
    },
    format,
    store::stores,
    text::{self, admin as words},
};

/// The table, with its dialogs.
#[component]
pub(super) fn Accounts(watch: Watch) -> impl IntoView {
    let asked = RwSignal::new(None);
    let sought = RwSignal::new(String::new());
    let ids = Memo::new(move |_| {
        let sought = sought.read().trim().to_lowercase();
        let accounts = watch.accounts.read();
        let found = accounts
            .iter()
            .flatten()
            .filter(|row| row.name.to_lowercase().contains(&sought));
        found.map(|row| row.id).collect::<Vec<_>>()
    });
    let is_none = Memo::new(move |_| ids.read().is_empty() && !sought.read().trim().is_empty());
    view! {
        <section class="card table-card" aria-labelledby="accounts">
            <div class="card-head">
                <h2 class="grow" id="accounts">{words::accounts()}</h2>
                <label class="input search not-phone">
                    <Icon name="search"/>
                    <input
                        type="search" placeholder=words::find() aria-label=words::find_account() autocomplete="off" spellcheck="false"
                        on:input=move |event| sought.set(event_target_value(&event))
                    />
                </label>
                <InviteButton watch/>
            </div>
            <table class="table" aria-labelledby="accounts">
                <thead>
                    <tr>
                        <th scope="col">{words::name()}</th>
                        <th scope="col" class="wide">{words::state()}</th>
                        <th scope="col" class="num wide">{words::devices()}</th>
                        <th scope="col" class="used-cell">{words::used()}</th>
                        <th scope="col" class="wide">{words::last_visit()}</th>
                        <th scope="col" class="acts-cell"><span class="sr">{words::actions()}</span></th>
                    </tr>
                </thead>
                <tbody>
                    <For each=move || ids.get() key=|id| *id let:id><Row watch id asked/></For>
                </tbody>
            </table>
            <Show when=move || is_none.get()><p class="nothing">{words::none_found()}</p></Show>
            <AccountDialogs watch asked/>
        </section>
    }
}

#[component]
fn Row(watch: Watch, id: AccountId, asked: RwSignal<Option<Asked>>) -> impl IntoView {
    let me = stores().me;
    let is_me = Memo::new(move |_| me.with(|me| me.as_ref().is_some_and(|me| me.account == id)));
    let row = Memo::new(move |_| watch.accounts.read().iter().flatten().find(|row| row.id == id).cloned());
    let problem = RwSignal::new(None);
    let name =
        Signal::derive(move || row.with(|row| row.as_ref().map(|row| format::name(&row.name)).unwrap_or_default()));
    let of = move |read: fn(&AccountRow) -> String| {
        Memo::new(move |_| row.with(|row| row.as_ref().map(read).unwrap_or_default()))
    };
    let is = move |read: fn(&AccountRow) -> bool| Memo::new(move |_| row.with(|row| row.as_ref().is_some_and(read)));
    let (is_admin, is_disabled) = (is(|row| row.admin), is(|row| row.disabled));
    let last_seen = Memo::new(move |_| row.with(|row| row.as_ref().and_then(|row| row.last_seen)));
    let last_visit = move || match last_seen.get() {
        Some(at) => view! { <Ago at/> }.into_any(),
        None => words::never().into_any(),
    };
    let state = move || match is_disabled.get() {
        true => view! { <Badge text=words::disabled().to_owned() kind="warn"/> }.into_any(),
        false => view! { <span class="quiet">{words::active()}</span> }.into_any(),
    };
    let items = move || entries(watch, id, is_me.get_untracked(), asked, problem);
    view! {
        <tr>
            <td class="name-cell">
                <span class="row">
                    <span class="avatar" aria-hidden="true">{move || initials(&name.get())}</span>
                    <span class="cut"><bdi>{move || name.get()}</bdi></span>
                    {move || is_admin.get().then(|| view! { <Badge text=words::administrator().to_owned()/> })}
                    {move || is_disabled.get().then(|| view! { <span class="only-phone"><Badge text=words::disabled().to_owned() kind="warn"/></span> })}
                </span>
                <ProblemLine problem/>
            </td>
            <td class="wide">{state}</td>
            <td class="num wide quiet">{of(|row| words::online_of(&row.online, &row.devices))}</td>
            <td class="used-cell"><Used row name/></td>
            <td class="wide quiet">{last_visit}</td>
            <td class="acts-cell"><MenuButton label=Signal::derive(move || words::more_for(&name.get())) items/></td>
        </tr>
    }
}

/// How much of the quota is used.
#[component]
fn Used(row: Memo<Option<AccountRow>>, name: Signal<String>) -> impl IntoView {
    let says = move || row.with(|row| row.as_ref().map(used).unwrap_or_default());
    let percent = Signal::derive(move || row.with(|row| row.as_ref().and_then(percent)));
    let state = Signal::derive(move || match percent.get() {
        Some(percent) if percent >= 100.0 => "failed",
        Some(percent) if percent >= 85.0 => "warn",
        _ => "running",
    });
    let has_quota = Memo::new(move |_| percent.get().is_some());
    let label = Signal::derive(move || words::quota_used_by(&name.get()));
    view! {
        <span class="used tnum">{says}</span>
        <Show when=move || has_quota.get()><Progress value=percent state label/></Show>
    }
}

fn used(row: &AccountRow) -> String {
    let used = format::bytes(row.used);
    row.quota
        .map_or(used.clone(), |quota| words::used_of(&used, &format::bytes(quota)))
}

fn percent(row: &AccountRow) -> Option<f64> {
    row.quota.map(|quota| row.used as f64 * 100.0 / quota.max(1) as f64)
}

/// What can be done with an account. Nobody shuts themselves out.
fn entries(
    watch: Watch,
    id: AccountId,
    is_me: bool,
    asked: RwSignal<Option<Asked>>,
    problem: RwSignal<Option<String>>,
) -> Vec<Entry> {
    let row = watch
        .accounts
        .with_untracked(|rows| rows.iter().flatten().find(|row| row.id == id).cloned());
    let Some(row) = row else { return Vec::new() };
    problem.set(None);
    let quota = Entry::new("drive", words::quota_more(), move || asked.set(Some(Asked::Quota(id))));
    let stand = match (is_me, row.disabled) {
        (true, _) => None,
        (false, true) => Some(Entry::new("check", words::enable(), move || enable(watch, &row, problem)).apart()),
        (false, false) => Some(
            Entry::new("stop", words::disable_more(), move || {
                asked.set(Some(Asked::Disable(id)))
            })
            .bad(),
        ),
    };
    std::iter::once(quota).chain(stand).collect()
}

fn enable(watch: Watch, row: &AccountRow, problem: RwSignal<Option<String>>) {
    let (id, name) = (row.id, format::name(&row.name));
    let change = ChangeAccount {
        disabled: Some(false),
        ..ChangeAccount::default()
    };
    let toasts = stores().toasts;
    spawn_local(async move {
        match watch.change(id, change).await {
            Ok(()) => toasts.say(words::enabled(&name), None),
            Err(refusal) => {
                let _ = problem.try_set(Some(text::error::of(&refusal)));
            }
        }
    });
}

#[cfg(test)]
mod tests {
    use beckon_shared::time::Timestamp;
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn what_is_used_is_told_with_the_quota_if_there_is_one() {
        let mut row = AccountRow {
            id: AccountId([1; 32]),
            name: "mei".to_owned(),
            admin: false,
            disabled: false,
            created: Timestamp(0),
            last_seen: None,
            devices: 0,
            online: 0,
            used: 250_000,
            quota: None,
        };
        assert_eq!((used(&row), percent(&row)), ("250 kB".to_owned(), None));
        row.quota = Some(1_000_000);
        assert_eq!((used(&row), percent(&row)), ("250 kB of 1 MB".to_owned(), Some(25.0)));
    }
}
