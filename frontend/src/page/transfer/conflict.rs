//! Files of a copy that were changed where it is: both sides, and what is to become of them.

mod found;

use beckon_shared::{
    browse::{Answer, Ask, Choice, Side},
    error::{ErrorCode, Refusal},
    id::DeviceId,
    path::RootPath,
    time::Timestamp,
    transfer::TransferView,
};
use leptos::{html, prelude::*, task::spawn_local};
use wasm_bindgen::JsCast;

use self::found::{File, Found};
use crate::{
    component::{dialog::ProblemLine, icon::Icon, skeleton::LineBones, transfer},
    dom, format, session,
    store::{Stores, stores},
    text::{self, common, sync as words},
};

/// A machine is asked so often, with so many milliseconds in between, before it is given up.
const TRIES: u32 = 3;
const AGAIN_MS: u32 = 1_000;

/// What is known of them.
#[derive(Clone, Copy)]
struct Reading {
    stores: Stores,
    view: Signal<TransferView>,
    found: RwSignal<Option<Found>>,
    /// How many there are, as the machine tells everyone.
    count: Memo<u64>,
    /// How many there were when they were read, less those that were chosen here since.
    known: StoredValue<u64>,
    refused: RwSignal<Option<String>>,
    /// Counts the questions, so that a late answer does not take the place of a newer one.
    asked: StoredValue<u32>,
    /// The last question that was answered.
    answered: StoredValue<u32>,
}

/// The section; there is none if nothing was changed.
#[component]
pub(super) fn Conflicts(view: Signal<TransferView>) -> impl IntoView {
    let stores = stores();
    let count = Memo::new(move |_| view.with(|view| view.progress.conflicts));
    // It stays after the last choice, to say that there is none left.
    let is_there = Memo::new(move |was: Option<&bool>| was.copied().unwrap_or_default() || count.get() > 0);
    let machine = view.with_untracked(|view| view.device);
    let online = Memo::new(move |_| stores.devices.get(machine).is_some_and(|view| view.online));
    let name = Memo::new(move |_| {
        let name = stores.devices.get(machine).map(|view| view.name.to_string());
        format::name(&name.unwrap_or_else(|| view.with_untracked(|view| view.machine.clone())))
    });
    let reading = Reading {
        stores,
        view,
        found: RwSignal::new(None),
        count,
        known: StoredValue::new(0),
        refused: RwSignal::new(None),
        asked: StoredValue::new(0),
        answered: StoredValue::new(0),
    };
    Effect::new(move |was_online: Option<bool>| {
        let (count, is_online) = (count.get(), online.get());
        let is_back = is_online && was_online != Some(true);
        let is_news = is_back || reading.known.get_value() != count;
        if is_there.get() && is_online && is_news {
            reading.again();
        }
        is_online
    });
    let body = move || match online.get() {
        true => view! { <List reading name/> }.into_any(),
        false => view! { <p class="quiet">{words::conflicts_away(&name.get())}</p> }.into_any(),
    };
    view! {
        <Show when=move || is_there.get()>
            <section class="stack close" id="conflicts">
                <h2 tabindex="-1">{words::conflicts_title()}</h2>
                <div class="card padded stack close">{body}</div>
            </section>
        </Show>
    }
}

impl Reading {
    fn machine(self) -> DeviceId {
        self.view.with_untracked(|view| view.device)
    }

    /// Reads as many as are shown, from the first.
    fn again(self) {
        self.known.set_value(self.count.get_untracked());
        let shown = self.found.with_untracked(|found| found.as_ref().map_or(0, Found::len));
        self.read(Found::default(), shown.max(1));
    }

    /// Reads some behind those that are shown.
    fn more(self) {
        let found = self.found.get_untracked().unwrap_or_default();
        let wanted = found.len() + 1;
        self.read(found, wanted);
    }

    /// Reads behind what was found until there are so many of this copy.
    fn read(self, mut found: Found, wanted: u64) {
        let Some(number) = self.asked.try_update_value(|asked| {
            *asked += 1;
            *asked
        }) else {
            return;
        };
        spawn_local(async move {
            let told = loop {
                let told = self.next(&mut found).await;
                if self.asked.try_get_value() != Some(number) {
                    return;
                }
                if told.is_err() || found.len() >= wanted || found.is_whole() {
                    break told;
                }
            };
            self.answered.set_value(number);
            match told {
                Ok(()) => {
                    self.refused.set(None);
                    self.found.set(Some(found));
                }
                Err(refusal) => self.refused.set(Some(text::error::of(&refusal))),
            }
        });
    }

    /// Reads a part more.
    async fn next(self, found: &mut Found) -> Result<(), Refusal> {
        let (id, root) = self.view.with_untracked(|view| (view.id, view.root_id));
        let ask = Ask::Conflicts {
            root: Some(root),
            after: found.read(),
        };
        match self.ask(ask).await? {
            Answer::Conflicts { conflicts, total } => {
                found.take(id, conflicts, total);
                Ok(())
            }
            _ => Err(session::misunderstood()),
        }
    }

    /// Asks the machine, and again where the way to it broke though it is there: it may have just come back.
    async fn ask(self, ask: Ask) -> Result<Answer, Refusal> {
        let machine = self.machine();
        for _ in 1..TRIES {
            match session::ask(self.stores, machine, ask.clone()).await {
                Err(refusal) if refusal.code == ErrorCode::Away => dom::sleep(AGAIN_MS).await,
                answer => return answer,
            }
        }
        session::ask(self.stores, machine, ask).await
    }

    async fn resolve(self, path: &RootPath, choice: Choice) -> Result<(), Refusal> {
        let ask = Ask::Resolve {
            transfer: self.view.with_untracked(|view| view.id),
            path: path.clone(),
            choice,
        };
        match self.ask(ask).await? {
            Answer::Done => Ok(()),
            _ => Err(session::misunderstood()),
        }
    }

    /// Takes out what was chosen. The machine tells the new count a moment later.
    fn settled(self, path: &RootPath) {
        let Some(Some(mut found)) = self.found.try_get_untracked() else {
            return;
        };
        let before = found.len();
        found.settle(path);
        let gone = before - found.len();
        self.known.update_value(|known| *known = known.saturating_sub(gone));
        self.found.set(Some(found));
        // What is being read may have been told before.
        if self.asked.get_value() != self.answered.get_value() {
            self.again();
        }
    }

    /// How many are not shown yet.
    fn rest(self) -> u64 {
        let shown = self
            .found
            .with(|found| found.as_ref().filter(|found| !found.is_whole()).map(Found::len));
        shown.map_or(0, |shown| self.count.get().saturating_sub(shown))
    }
}

#[component]
fn List(reading: Reading, name: Memo<String>) -> impl IntoView {
    let Reading { found, refused, .. } = reading;
    let rows = move || found.with(|found| found.as_ref().map(Found::files).unwrap_or_default());
    let rest = Memo::new(move |_| reading.rest());
    let is_empty = move || found.with(|found| found.as_ref().is_some_and(|found| found.len() == 0)) && rest.get() == 0;
    view! {
        <p class="quiet">{move || words::conflicts_says(&name.get())}</p>
        <ProblemLine problem=refused/>
        <Show when=move || refused.read().is_some()>
            <button type="button" class="button sm" on:click=move |_| reading.again()><Icon name="retry"/><span class="word">{common::retry()}</span></button>
        </Show>
        <Show when=move || found.read().is_none() && refused.read().is_none()><LineBones rows=2/></Show>
        <div role="status"><Show when=is_empty><p class="quiet">{words::conflicts_none()}</p></Show></div>
        <ul class="conflicts">
            <For each=rows key=|file: &File| format!("{file:?}") children=move |file| view! { <Row reading file name/> }/>
        </ul>
        <Show when=move || { rest.get() > 0 }>
            <button type="button" class="button sm" on:click=move |_| reading.more()>{move || words::conflicts_more(&format::count(rest.get()))}</button>
        </Show>
    }
}

#[component]
fn Row(reading: Reading, file: File, name: Memo<String>) -> impl IntoView {
    let node = NodeRef::<html::Li>::new();
    let (busy, problem) = (RwSignal::new(None::<Choice>), RwSignal::new(None::<String>));
    let File { newest, older } = file;
    let shown = format::name(&newest.path.display());
    let choices = words::choices(&shown);
    let kept = older.iter().chain(&newest.kept).filter_map(|kept| {
        let (_, name) = kept.split_last()?;
        Some(view! { <dd class="hint"><bdi>{words::kept_as(&format::name(&name.display()))}</bdi></dd> })
    });
    let kept = kept.collect_view();
    let path = StoredValue::new(newest.path);
    let choose = move |choice| {
        if busy.get_untracked().is_some() {
            return;
        }
        busy.set(Some(choice));
        problem.set(None);
        spawn_local(async move {
            let path = path.get_value();
            let told = reading.resolve(&path, choice).await;
            let _ = busy.try_set(None);
            match told {
                Ok(()) => {
                    let next = node.try_get_untracked().flatten().and_then(|row| after(&row));
                    reading.settled(&path);
                    if let Some(next) = next {
                        request_animation_frame(move || next.give_focus());
                    }
                }
                Err(refusal) => _ = problem.try_set(Some(text::error::of(&refusal))),
            }
        });
    };
    let button = move |choice, label: &'static str| {
        let is_busy = move || (busy.get() == Some(choice)).then_some("true");
        view! { <button type="button" class="button sm" aria-busy=is_busy on:click=move |_| choose(choice)>{label}</button> }
    };
    let theirs = match newest.theirs {
        Some(_) => words::keep_theirs(),
        None => words::keep_deleted(),
    };
    view! {
        <li class="conflict" node_ref=node>
            <p class="path"><Icon name="file" class="sm"/><bdi class="mono">{shown}</bdi></p>
            <dl class="sides">
                <div><dt><bdi>{move || at_source(reading)}</bdi></dt><dd class="tnum">{side(reading, newest.theirs, words::deleted_there())}</dd></div>
                <div>
                    <dt><bdi>{move || words::ours(&name.get())}</bdi></dt>
                    <dd class="tnum">{side(reading, newest.ours, words::no_file())}</dd>
                    {kept}
                </div>
            </dl>
            <div class="row acts" role="group" aria-label=choices>
                {button(Choice::Theirs, theirs)}{button(Choice::Ours, words::keep_ours())}{button(Choice::Both, words::keep_both())}
            </div>
            <ProblemLine problem/>
        </li>
    }
}

/// What the source's side is called.
fn at_source(reading: Reading) -> String {
    let name = reading.view.with(|view| transfer::source(reading.stores, view));
    name.map_or_else(|| words::theirs_unknown().to_owned(), |name| words::theirs(&name))
}

/// A side with its size and time, or what there is instead.
fn side(reading: Reading, side: Option<Side>, none: &'static str) -> impl Fn() -> String {
    move || match side {
        None => none.to_owned(),
        Some(side) => {
            let at = Timestamp(side.mtime_ns.div_euclid(1_000_000));
            words::side(&format::bytes(side.size), &format::moment(at, reading.stores.now.get()))
        }
    }
}

/// Where the keyboard goes when a row goes that has it.
enum Next {
    Row(web_sys::Element),
    Title,
}

impl Next {
    fn give_focus(self) {
        let button = match self {
            Self::Row(row) => row.query_selector("button").ok().flatten(),
            Self::Title => None,
        };
        match button.and_then(|button| button.dyn_into::<web_sys::HtmlElement>().ok()) {
            Some(button) => _ = button.focus(),
            None => dom::focus("#conflicts h2"),
        }
    }
}

/// The row that follows, or else the one before; nothing if the keyboard is elsewhere.
fn after(row: &web_sys::Element) -> Option<Next> {
    let focused = dom::focused()?;
    row.contains(Some(focused.as_ref())).then(|| {
        let other = row.next_element_sibling().or_else(|| row.previous_element_sibling());
        other.map_or(Next::Title, Next::Row)
    })
}
