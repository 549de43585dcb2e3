//! The rows: each a signal of its own, so that one transfer's progress draws one row.

use beckon_shared::{
    api::transfer::Act,
    error::Refusal,
    id::TransferId,
    transfer::{Hold, TransferState, TransferView},
};
use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate};

use super::{
    ask::{Asked, CancelDialog},
    dismissed, figure, place,
    problem::ProblemDialog,
    stand, steer,
    why::{self, Remedy, Why},
};
use crate::{
    component::{icon::Icon, progress::Progress, time::Ago},
    dom, format, route,
    store::{Stores, stores},
    text::{self, transfer as words},
    upload,
};

/// This much was sent before a person is asked whether to cancel, in bytes.
const ASK_ABOVE: u64 = 1_000_000_000;

/// What a row can do.
#[derive(Clone, Copy)]
struct Row {
    stores: Stores,
    id: TransferId,
    view: RwSignal<TransferView>,
    /// Why the last act was refused.
    refused: RwSignal<Option<String>>,
    asked: RwSignal<Option<Asked>>,
}

/// A list of transfers, and the dialogs that its rows open.
#[component]
pub(crate) fn TransferRows(
    /// Which, in this order.
    #[prop(into)]
    ids: Signal<Vec<TransferId>>,
    /// Their heading, to a screen reader.
    #[prop(into)]
    label: Signal<String>,
) -> impl IntoView {
    let stores = stores();
    let asked = RwSignal::new(None);
    let row = move |id: TransferId| {
        let view = untrack(|| stores.transfers.row(id))?;
        let refused = RwSignal::new(None);
        Some(view! { <TransferRow row=Row { stores, id, view, refused, asked }/> })
    };
    view! {
        <ul class="transfers" aria-label=move || label.get()>
            <For each=move || ids.get() key=|id| *id children=row/>
        </ul>
        <CancelDialog asked/>
        <ProblemDialog asked/>
    }
}

#[component]
fn TransferRow(row: Row) -> impl IntoView {
    let view = row.view;
    let state = Memo::new(move |_| view.with(stand::state));
    let over = Memo::new(move |_| view.with(|view| view.state.is_over()));
    let what = Memo::new(move |_| view.with(figure::what));
    let size = Memo::new(move |_| view.with(why::size));
    view! {
        <li class="transfer" data-state=move || state.get() data-transfer=row.id.to_string()>
            <Icon name=Signal::derive(move || stand::icon(state.get()))/>
            <div class="grow">
                <div class="what">
                    <bdi class="cut">{move || what.get()}</bdi>
                    <span class="faint nowrap size">{move || size.get()}</span>
                </div>
                <Route row/>
            </div>
            <div class="so-far">
                {move || (!matches!(state.get(), "done" | "cancelled")).then(|| view! { <RowProgress row/> })}
                <div class="figures">
                    <span>{move || view.with(figure::amount)}</span>
                    <span>{move || when(row)}</span>
                </div>
            </div>
            <div class="acts">{move || acts(row, state.get(), over.get())}</div>
            <WhyLine row/>
        </li>
    }
}

#[component]
fn RowProgress(row: Row) -> impl IntoView {
    let view = row.view;
    let value = Signal::derive(move || view.with(|view| figure::percent(&view.progress)));
    // What does not move shows no bar that does.
    let value = Signal::derive(move || {
        let is_running = view.with(|view| stand::state(view) == "running");
        value.get().or_else(|| (!is_running).then_some(0.0))
    });
    let state = Signal::derive(move || stand::bar(view.with(stand::state)));
    let label = Signal::derive(move || words::progress_of(&view.with(figure::what)));
    view! { <Progress value state label/> }
}

#[component]
fn Route(row: Row) -> impl IntoView {
    let Row { stores, view, .. } = row;
    let from = Memo::new(move |_| {
        let (device, told) = view.with(|view| (view.device, view.machine.clone()));
        if stores.me.with(|me| me.as_ref().is_some_and(|me| me.device == device)) {
            return words::this_browser().to_owned();
        }
        let name = stores.devices.get(device).map(|device| device.name.to_string());
        format::name(&name.unwrap_or(told))
    });
    view! {
        <div class="route">
            <bdi class="cut">{move || from.get()}</bdi><Icon name="arrow"/><span class="cut">{words::drive()}</span>
        </div>
    }
}

/// Right of the figures: how fast, or since when it stands so.
fn when(row: Row) -> AnyView {
    let view = row.view.get();
    match (view.state, view.ended) {
        (TransferState::Done | TransferState::Cancelled, Some(ended)) => view! { <Ago at=ended/> }.into_any(),
        (TransferState::Failed, Some(ended)) => words::stopped_at(&format::clock(ended)).into_any(),
        (TransferState::Partly, Some(ended)) => words::done_at(&format::clock(ended)).into_any(),
        (TransferState::Running, None) if stand::hold(&view) == Hold::None => {
            figure::speed(row.stores, &view).into_any()
        }
        _ if view.hold == Hold::User => words::paused().into_any(),
        _ => view! { {words::queued()}" "<Ago at=view.created/> }.into_any(),
    }
}

fn acts(row: Row, state: &'static str, is_over: bool) -> AnyView {
    let cancel = move || view! { <IconButton icon="x" label=words::cancel() act=move || cancel(row)/> };
    match state {
        "running" => {
            let pause = move || steer_row(row, Act::Pause);
            view! { <IconButton icon="pause" label=words::pause() act=pause/>{cancel()} }.into_any()
        }
        "paused" => view! {
            <button type="button" class="button sm first" on:click=move |_| steer_row(row, Act::Resume)>
                <Icon name="play"/><span class="word">{words::resume()}</span>
            </button>
            {cancel()}
        }
        .into_any(),
        "done" | "cancelled" => show(row).into_any(),
        _ if is_over => {
            let put_away = move || dismissed::put_away(row.stores, row.id);
            view! { <IconButton icon="x" label=words::dismiss() act=put_away/> }.into_any()
        }
        _ => cancel().into_any(),
    }
}

/// Where it lies in the drive.
fn show(row: Row) -> impl IntoView {
    let go = StoredValue::new_local(use_navigate());
    let href = row.view.with_untracked(|view| place::by_names(row.stores, view));
    href.map(|href| {
        let named = href.clone();
        // The router's own way with links decodes the address, and a name may hold a percent sign.
        let open = move |event: web_sys::MouseEvent| {
            if !(event.ctrl_key() || event.meta_key() || event.shift_key()) {
                event.prevent_default();
                let named = named.clone();
                leptos::task::spawn_local(async move {
                    let found = place::find(row.stores, &row.view.get_untracked()).await;
                    let _ = go.try_with_value(|go| go(&found.unwrap_or(named), NavigateOptions::default()));
                });
            }
        };
        view! { <a class="button sm ghost first" href=href on:click=open>{text::common::show()}</a> }
    })
}

#[component]
fn IconButton(icon: &'static str, label: &'static str, act: impl Fn() + 'static) -> impl IntoView {
    view! {
        <button type="button" class="button icon-only ghost sm first" aria-label=label title=label on:click=move |_| act()>
            <Icon name=icon/>
        </button>
    }
}

fn cancel(row: Row) {
    if row.view.with_untracked(|view| view.progress.bytes_done > ASK_ABOVE) {
        let act = move || steer_row(row, Act::Cancel);
        row.asked.set(Some(Asked::cancel(row.view.get_untracked(), act)));
    } else {
        steer_row(row, Act::Cancel);
    }
}

fn steer_row(row: Row, act: Act) {
    let _ = row.refused.try_set(None);
    keep_focus(row.id);
    leptos::task::spawn_local(async move {
        if let Err(refusal) = steer::steer(row.stores, row.id, act).await {
            // A row that went to another list has no line of its own any more; the one there says how it stands.
            let _ = row.refused.try_set(Some(text::error::of(&refusal)));
        }
    });
}

/// The row's buttons change with its state; whoever had the focus there finds it on the new ones.
fn keep_focus(id: TransferId) {
    let in_tray = dom::focused().is_some_and(|focused| focused.closest(".tray").ok().flatten().is_some());
    let place = if in_tray { ".tray" } else { ".main" };
    request_animation_frame(move || {
        if dom::focused().is_none_or(|focused| focused.tag_name() == "BODY") {
            dom::focus(&format!("{place} [data-transfer=\"{id}\"] .acts :is(button, a)"));
        }
    });
}

#[component]
fn WhyLine(row: Row) -> impl IntoView {
    let go = StoredValue::new_local(use_navigate());
    let shown = Memo::new(move |_| {
        let refused = row.refused.get().map(|says| Why {
            kind: "bad",
            says,
            remedies: Vec::new(),
        });
        refused.or_else(|| row.view.with(|view| why::why(row.stores, view)))
    });
    let act = move |remedy| match remedy {
        Remedy::Steer(act) => steer_row(row, act),
        Remedy::Problems => row.asked.set(Some(Asked::Problems(row.view.get_untracked()))),
        Remedy::Drive => go.with_value(|go| go(route::DRIVE, NavigateOptions::default())),
        Remedy::Machine => {
            let machine = route::machine(row.view.with_untracked(|view| view.device));
            go.with_value(|go| go(&machine, NavigateOptions::default()));
        }
        // Its own component has the button.
        Remedy::Choose => {}
    };
    move || {
        shown.get().map(|why| {
            let icon = match why.kind {
                "bad" => "stop",
                "warn" => "alert",
                _ => "info",
            };
            let button = move |remedy| {
                let icon = (remedy == Remedy::Steer(Act::Retry)).then(|| view! { <Icon name="retry"/> });
                view! {
                    <button type="button" class="button sm" on:click=move |_| act(remedy)>
                        {icon}<span class="word">{why::label(remedy)}</span>
                    </button>
                }
            };
            if why.remedies.contains(&Remedy::Choose) {
                let line = view! { <div class="why warn"><Icon name=icon class="sm"/><upload::ChooseAgain transfer=row.id/></div> };
                return line.into_any();
            }
            view! {
                <div class=format!("why {}", why.kind)>
                    <Icon name=icon class="sm"/><span class="grow">{why.says}</span>
                    {why.remedies.into_iter().map(button).collect_view()}
                </div>
            }
            .into_any()
        })
    }
}

/// What a list of problems could not be read for.
pub(super) fn said(refusal: &Refusal) -> String {
    text::error::of(refusal)
}
