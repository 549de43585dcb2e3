//! One transfer: how it stands, what was sent and what was not, how it came to stand so, and what can be done about it.

mod conflict;
mod fact;
mod story;

use beckon_shared::{
    api::transfer::TransferDetail,
    error::{ErrorCode, Refusal},
    id::TransferId,
    transfer::{Hold, Task, TransferState, TransferView},
};
use leptos::prelude::*;
use leptos_router::{NavigateOptions, hooks::use_navigate, hooks::use_params_map};

use self::{
    conflict::Conflicts,
    fact::{Figures, Order},
    story::Story,
};
use crate::{
    api,
    component::{
        breadcrumb::{Crumb, UpButton},
        empty_state::EmptyState,
        frame,
        icon::Icon,
        skeleton::LineBones,
        transfer::{self, ProblemList, TransferPanel},
    },
    dom, route,
    store::{Stores, stores},
    text::{self, common, sync, transfer as words},
};

/// What this page shows already, as it was asked for, may not be recorded yet; then it is read once more. Milliseconds.
const AGAIN_MS: u32 = 500;

/// The page.
#[component]
pub(crate) fn Transfer() -> impl IntoView {
    let params = use_params_map();
    let id = Memo::new(move |_| {
        params
            .with(|params| params.get("transfer"))
            .and_then(|id| id.parse().ok())
    });
    move || match id.get() {
        Some(id) => view! { <Known id/> }.into_any(),
        None => gone(),
    }
}

fn gone() -> AnyView {
    frame::title(|| words::gone().to_owned());
    view! {
        <header class="page-head"><h1 tabindex="-1">{words::gone()}</h1></header>
        <div class="page-body">
            <EmptyState icon="transfers" title=words::gone().to_owned() says=words::gone_says().to_owned()>
                <a class="button" href=route::TRANSFERS>{words::to_transfers()}</a>
            </EmptyState>
        </div>
    }
    .into_any()
}

/// What is known of a transfer: how it stands from the list of all, as long as it is in there, else from its story.
#[derive(Clone, Copy)]
struct Reading {
    stores: Stores,
    id: TransferId,
    detail: RwSignal<Option<TransferDetail>>,
    refused: RwSignal<Option<Refusal>>,
    view: Memo<Option<TransferView>>,
    /// Counts the questions, so that a late answer does not take the place of a newer one.
    asked: StoredValue<u32>,
}

impl Reading {
    fn new(stores: Stores, id: TransferId) -> Self {
        let detail = RwSignal::new(None::<TransferDetail>);
        let view = Memo::new(move |_| match stores.transfers.row(id) {
            Some(row) => Some(row.get()),
            None => detail.with(|detail| detail.as_ref().map(|detail| detail.transfer.clone())),
        });
        Self {
            stores,
            id,
            detail,
            refused: RwSignal::new(None),
            view,
            asked: StoredValue::new(0),
        }
    }

    /// Reads the story now, and again whenever how it stands has changed.
    fn follow(self) {
        let stands = Memo::new(move |_| {
            let stands = self.view.with(|view| view.as_ref().map(stand));
            (stands, self.stores.is_cut_off())
        });
        Effect::new(move || {
            let (stands, is_cut_off) = stands.get();
            let known = self
                .detail
                .with_untracked(|detail| detail.as_ref().map(|detail| stand(&detail.transfer)));
            if !is_cut_off && (known.is_none() || known != stands) {
                self.read();
            }
        });
    }

    fn read(self) {
        let Some(number) = self.asked.try_update_value(|asked| {
            *asked += 1;
            *asked
        }) else {
            return;
        };
        leptos::task::spawn_local(async move {
            loop {
                let answer = api::get::<TransferDetail>(&format!("/api/transfers/{}", self.id)).await;
                if self.asked.try_get_value() != Some(number) || self.take(answer) {
                    return;
                }
                dom::sleep(AGAIN_MS).await;
            }
        });
    }

    /// Whether that is how it stands by now, as far as is known.
    fn take(self, answer: Result<TransferDetail, Refusal>) -> bool {
        match answer {
            Ok(detail) => {
                let stands = stand(&detail.transfer);
                self.refused.set(None);
                self.detail.set(Some(detail));
                self.view
                    .with_untracked(|view| view.as_ref().map(stand) == Some(stands))
            }
            Err(refusal) => {
                self.refused.set(Some(refusal));
                true
            }
        }
    }
}

fn stand(view: &TransferView) -> (TransferState, Hold) {
    (view.state, view.hold)
}

/// What the page shows.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Stage {
    Reading,
    There,
    Gone,
    Failed(Refusal),
}

#[component]
fn Known(id: TransferId) -> impl IntoView {
    let reading = Reading::new(stores(), id);
    reading.follow();
    let stage = Memo::new(move |_| match (reading.refused.get(), reading.view.read().is_some()) {
        (Some(refusal), _) if refusal.code == ErrorCode::NotFound => Stage::Gone,
        (_, true) => Stage::There,
        (Some(refusal), false) => Stage::Failed(refusal),
        (None, false) => Stage::Reading,
    });
    move || match stage.get() {
        Stage::Reading => waiting(view! { <LineBones/> }.into_any()),
        Stage::There => there(reading),
        Stage::Gone => gone(),
        Stage::Failed(refusal) => waiting(failed(reading, &refusal)),
    }
}

fn waiting(body: AnyView) -> AnyView {
    frame::title(|| common::transfers().to_owned());
    view! {
        <header class="page-head"><h1 tabindex="-1">{common::transfers()}</h1></header>
        <div class="page-body">{body}</div>
    }
    .into_any()
}

fn failed(reading: Reading, refusal: &Refusal) -> AnyView {
    let again = move |_| {
        reading.refused.set(None);
        reading.read();
    };
    view! {
        <EmptyState icon="stop" title=words::not_read().to_owned() says=text::error::of(refusal) class="error">
            <button type="button" class="button primary" on:click=again><Icon name="retry"/>{common::retry()}</button>
        </EmptyState>
    }
    .into_any()
}

fn there(reading: Reading) -> AnyView {
    let Some(first) = reading.view.get_untracked() else {
        return ().into_any();
    };
    let view = Signal::derive(move || reading.view.get().unwrap_or_else(|| first.clone()));
    let what = Memo::new(move |_| view.with(transfer::what));
    frame::title(move || what.get());
    let up = Crumb {
        label: common::transfers().to_owned(),
        href: route::TRANSFERS.to_owned(),
    };
    view! {
        <header class="page-head">
            <UpButton up/>
            <nav aria-label=common::transfers() class="not-phone">
                <ol class="crumbs"><li><a class="crumb" href=route::TRANSFERS>{common::transfers()}</a></li><li></li></ol>
            </nav>
            <h1 class="cut" tabindex="-1"><bdi>{move || what.get()}</bdi></h1>
        </header>
        <div class="page-body">
            <div class="stack transfer-page">
                <TransferPanel id=reading.id view><Placed reading view/></TransferPanel>
                <Stale reading/>
                <div class="pair"><Figures view/><Order reading view/></div>
                <Conflicts view/>
                <NotStored view/>
                <Story reading view/>
            </div>
        </div>
    }
    .into_any()
}

/// The story on the page may be an old one.
#[component]
fn Stale(reading: Reading) -> impl IntoView {
    let says = move || reading.refused.with(|refusal| refusal.as_ref().map(text::error::of));
    move || {
        says().map(|says| {
            view! {
                <div class="banner warn card-like" role="status">
                    <Icon name="alert"/><span class="grow">{says}</span>
                    <button type="button" class="button sm" on:click=move |_| reading.read()>{common::retry()}</button>
                </div>
            }
        })
    }
}

/// The way to what it wrote or stored; there is none while nothing of it is there.
#[component]
fn Placed(reading: Reading, view: Signal<TransferView>) -> impl IntoView {
    let writes = view.with_untracked(|view| view.task.writes());
    match writes {
        true => view! { <OnMachine reading view/> }.into_any(),
        false => view! { <InDrive reading/> }.into_any(),
    }
}

/// The way to the folder of a machine that it writes in.
#[component]
fn OnMachine(reading: Reading, view: Signal<TransferView>) -> impl IntoView {
    let go = StoredValue::new_local(use_navigate());
    let href = Memo::new(move |_| {
        let first = reading
            .detail
            .with(|detail| detail.as_ref().and_then(|detail| detail.selected.first().cloned()));
        view.with(|view| {
            // The machine may be heard of later than the transfer.
            reading.stores.devices.get(view.device)?;
            // What is sent is named itself, of a copy the folder that it lies in.
            let below = match (view.task, &first) {
                (Task::Send, Some(first)) => first.split_last().map(|(folder, _)| folder),
                _ => first,
            };
            transfer::place_written(reading.stores, view, below.as_ref())
        })
    });
    let open = move |event: web_sys::MouseEvent| {
        if let Some(href) = href
            .get_untracked()
            .filter(|_| !(event.ctrl_key() || event.meta_key() || event.shift_key()))
        {
            // As below, the router is not to decode the address.
            event.prevent_default();
            go.with_value(|go| go(&href, NavigateOptions::default()));
        }
    };
    move || {
        href.get().map(|href| {
            view! { <a class="button sm" href=href on:click=open><Icon name="folder"/><span class="word">{sync::show_on_machine()}</span></a> }
        })
    }
}

/// The way to what it stored; there is none while nothing of it is in the drive.
#[component]
fn InDrive(reading: Reading) -> impl IntoView {
    let go = StoredValue::new_local(use_navigate());
    let href = RwSignal::new(None::<String>);
    // Looked for whenever the story was read anew.
    Effect::new(move || {
        let detail = reading.detail.get();
        leptos::task::spawn_local(async move {
            let found = match &detail {
                Some(detail) => transfer::place_of(detail).await,
                None => None,
            };
            let _ = href.try_set(found);
        });
    });
    let open = move |event: web_sys::MouseEvent| {
        if let Some(href) = href
            .get_untracked()
            .filter(|_| !(event.ctrl_key() || event.meta_key() || event.shift_key()))
        {
            // The router's own way with links decodes the address, and a name may hold a percent sign.
            event.prevent_default();
            go.with_value(|go| go(&href, NavigateOptions::default()));
        }
    };
    move || {
        href.get().map(|href| {
            view! { <a class="button sm" href=href on:click=open><Icon name="drive"/><span class="word">{words::show_in_drive()}</span></a> }
        })
    }
}

/// What could not be stored as it was; read anew when that may have changed.
#[component]
fn NotStored(view: Signal<TransferView>) -> impl IntoView {
    let marked = Memo::new(move |_| {
        view.with(|view| {
            let (failed, torn) = (view.progress.failed, view.progress.torn);
            let is_told = view.state.is_over() || view.task.is_standing();
            (is_told && failed + torn > 0).then_some((failed, torn))
        })
    });
    move || {
        marked.get().map(|_| {
            let view = view.get_untracked();
            view! {
                <section class="stack close">
                    <h2>{transfer::problem_heading(&view)}</h2>
                    <div class="card padded stack close"><ProblemList view/></div>
                </section>
            }
        })
    }
}
