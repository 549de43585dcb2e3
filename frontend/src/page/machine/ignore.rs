//! What a root leaves out of uploads: its patterns, and what they would leave out.

use beckon_shared::{
    browse::{Answer, Ask, IGNORE_MAX, NAMED_MAX},
    error::Refusal,
    id::RootId,
    path::RootPath,
};
use leptos::{prelude::*, task::spawn_local};

use super::folder::Folder;
use crate::{
    component::{
        dialog::{Dialog, ProblemLine, fresh_id},
        field::SendButton,
        icon::Icon,
        skeleton::LineBones,
        transfer,
    },
    dom, format, session,
    text::{self, common, sync as words},
};

/// What is typed is tried out so long after the last key. Milliseconds.
const PAUSE_MS: u32 = 400;
/// So much of what another terminal wrote is shown. Characters.
const SHOWN: usize = 200;
/// So many of what would be left out are listed.
const LISTED: usize = 100;

/// The dialog; it is there while a root is named.
#[component]
pub(super) fn IgnoreDialog(folder: Folder) -> impl IntoView {
    let wanted = folder.sync.ignoring;
    let open = RwSignal::new(false);
    Effect::new(move || open.set(wanted.get().is_some()));
    Effect::new(move || {
        if !open.get() && wanted.get_untracked().is_some() {
            wanted.set(None);
        }
    });
    let title = move || {
        let name = wanted.get().and_then(|root| folder.names_of(root));
        words::ignore_title(&name.map(|(_, name)| format::name(name.as_str())).unwrap_or_default())
    };
    view! {
        <Dialog open title=Signal::derive(title)>
            {move || wanted.get().map(|root| view! { <Stage folder root open/> })}
        </Dialog>
    }
}

/// What would be left out.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
struct Skipped {
    files: u64,
    bytes: u64,
    first: Vec<RootPath>,
    is_whole: bool,
}

/// Patterns while they are read, written and tried out.
#[derive(Clone, Copy)]
struct Editing {
    folder: Folder,
    root: RootId,
    /// As the machine has them; nothing while they are read.
    saved: RwSignal<Option<String>>,
    typed: RwSignal<String>,
    skipped: RwSignal<Option<Skipped>>,
    problem: RwSignal<Option<String>>,
    busy: RwSignal<bool>,
    /// Counts what was typed, so that only the last of it is tried out.
    tries: StoredValue<u32>,
}

#[component]
fn Stage(folder: Folder, root: RootId, open: RwSignal<bool>) -> impl IntoView {
    let editing = Editing {
        folder,
        root,
        saved: RwSignal::new(None),
        typed: RwSignal::default(),
        skipped: RwSignal::new(None),
        problem: RwSignal::new(None),
        busy: RwSignal::new(false),
        tries: StoredValue::new(0),
    };
    Effect::new(move || {
        if !folder.online.get() {
            return;
        }
        match editing.saved.with_untracked(Option::is_some) {
            true => editing.try_out(0),
            false => spawn_local(editing.read()),
        }
    });
    let away = move || words::ignore_away(&format::name(&folder.machine_name()));
    move || {
        match (folder.online.get(), editing.saved.with(Option::is_some)) {
        (false, _) => view! {
            <div class="body"><p class="quiet">{away}</p></div>
            <footer><button type="button" class="button" on:click=move |_| open.set(false)>{common::close()}</button></footer>
        }
        .into_any(),
        (true, false) => view! { <Waiting editing/> }.into_any(),
        (true, true) => view! { <Form editing open/> }.into_any(),
    }
    }
}

/// While the patterns are read, or could not be.
#[component]
fn Waiting(editing: Editing) -> impl IntoView {
    let problem = editing.problem;
    view! {
        <div class="body">
            <ProblemLine problem/>
            <Show when=move || problem.read().is_some() fallback=|| view! { <LineBones rows=3/> }>
                <button type="button" class="button sm" on:click=move |_| spawn_local(editing.read())>
                    <Icon name="retry"/><span class="word">{common::retry()}</span>
                </button>
            </Show>
        </div>
    }
}

impl Editing {
    async fn ask(self, ask: Ask) -> Result<Answer, Refusal> {
        session::ask(self.folder.stores, self.folder.machine(), ask).await
    }

    async fn read(self) {
        let _ = self.problem.try_set(None);
        match self.ask(Ask::Ignore { root: self.root }).await {
            Ok(Answer::Ignore(patterns)) => {
                let _ = self.typed.try_set(patterns.clone());
                let _ = self.saved.try_set(Some(patterns));
                self.preview(0).await;
            }
            other => self.failed(other),
        }
    }

    fn failed(self, told: Result<Answer, Refusal>) {
        let refusal = told.err().unwrap_or_else(session::misunderstood);
        let _ = self.problem.try_set(Some(text::error::of(&refusal)));
    }

    fn typed(self, patterns: String) {
        self.typed.set(patterns);
        self.try_out(PAUSE_MS);
    }

    fn try_out(self, after: u32) {
        self.problem.set(None);
        spawn_local(self.preview(after));
    }

    /// Tries out what is typed, unless more is typed meanwhile.
    async fn preview(self, after: u32) {
        let counted = self.tries.try_update_value(|tries| {
            *tries += 1;
            *tries
        });
        let is_last = || counted.is_some() && self.tries.try_get_value() == counted;
        dom::sleep(after).await;
        let Some(patterns) = self.typed.try_get_untracked().filter(|_| is_last()) else {
            return;
        };
        if patterns.len() > IGNORE_MAX {
            let _ = self.problem.try_set(Some(words::ignore_too_long().to_owned()));
            return;
        }
        let _ = self.skipped.try_set(None);
        let root = self.root;
        let told = self.ask(Ask::PreviewIgnore { root, patterns }).await;
        if !is_last() {
            return;
        }
        match told {
            Ok(Answer::Skipped {
                files,
                bytes,
                first,
                is_whole,
            }) => {
                let skipped = Skipped {
                    files,
                    bytes,
                    first,
                    is_whole,
                };
                let _ = self.skipped.try_set(Some(skipped));
            }
            other => self.failed(other),
        }
    }

    async fn save(self, open: RwSignal<bool>) {
        let (root, patterns) = (self.root, self.typed.get_untracked());
        let told = match self.ask(Ask::Ignore { root }).await {
            // Another terminal wrote some while these were typed, which they would take the place of unseen.
            Ok(Answer::Ignore(now))
                if self
                    .saved
                    .try_get_untracked()
                    .flatten()
                    .is_some_and(|saved| saved != now) =>
            {
                let _ = self.problem.try_set(Some(words::ignore_changed(&shortened(&now))));
                let _ = self.saved.try_set(Some(now));
                let _ = self.busy.try_set(false);
                return;
            }
            Ok(Answer::Ignore(_)) => self.ask(Ask::SetIgnore { root, patterns }).await,
            other => other,
        };
        let _ = self.busy.try_set(false);
        match told {
            Ok(Answer::Done) => {
                let _ = open.try_set(false);
                let folder = self.folder;
                folder.stores.toasts.say(words::ignore_saved().to_owned(), None);
                if folder.is_there() {
                    folder.standings.doubt();
                }
            }
            other => self.failed(other),
        }
    }
}

/// Patterns on one line, as far as they fit there.
fn shortened(patterns: &str) -> String {
    let line = patterns.split_whitespace().collect::<Vec<_>>().join(" ");
    let shown: String = line.chars().take(SHOWN).collect();
    let end = if shown.len() < line.len() { "…" } else { "" };
    format!("{}{end}", format::name(&shown))
}

#[component]
fn Form(editing: Editing, open: RwSignal<bool>) -> impl IntoView {
    let (field, help) = (fresh_id("patterns"), fresh_id("help"));
    let busy = editing.busy;
    // It was not there yet when the dialog took the keyboard.
    Effect::new(move || request_animation_frame(|| dom::focus("dialog[open] textarea[autofocus]")));
    let send = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        if busy.get_untracked() {
            return;
        }
        if editing.typed.with_untracked(String::len) > IGNORE_MAX {
            editing.problem.set(Some(words::ignore_too_long().to_owned()));
            return;
        }
        busy.set(true);
        editing.problem.set(None);
        spawn_local(editing.save(open));
    };
    view! {
        <form on:submit=send>
            <div class="body">
                <div class="field">
                    <label for=field.clone()>{words::ignore_label()}</label>
                    <textarea
                        id=field class="input area" rows="7" autofocus spellcheck="false" autocapitalize="none" autocomplete="off"
                        aria-describedby=help.clone() prop:value=editing.typed.get_untracked()
                        on:input=move |event| editing.typed(event_target_value(&event))
                    ></textarea>
                    <p class="hint" id=help>{words::ignore_help()}</p>
                    <ProblemLine problem=editing.problem/>
                </div>
                <Preview editing/>
            </div>
            <footer>
                <button type="button" class="button" on:click=move |_| open.set(false)>{common::cancel()}</button>
                <SendButton busy label=common::save() working=common::save() class="button primary"/>
            </footer>
        </form>
    }
}

#[component]
fn Preview(editing: Editing) -> impl IntoView {
    let skipped = editing.skipped;
    let says = move || match (&*skipped.read(), editing.problem.read().is_some()) {
        (Some(skipped), _) => told(skipped),
        (None, true) => String::new(),
        (None, false) => words::ignore_looking().to_owned(),
    };
    let list = move || {
        let skipped = skipped.get().filter(|skipped| !skipped.first.is_empty())?;
        let more = match skipped.first.len().saturating_sub(LISTED) {
            0 => None,
            // There may be more than were named.
            _ if skipped.first.len() >= NAMED_MAX => Some(words::ignore_and_more().to_owned()),
            more => Some(words::ignore_more(&format::count(more as u64))),
        };
        let row = |path: &RootPath| view! { <li><bdi class="mono">{format::name(&path.display())}</bdi></li> };
        let rows = skipped.first.iter().take(LISTED).map(row).collect_view();
        let more = more.map(|more| view! { <li class="faint">{more}</li> });
        Some(view! { <ul class="left-out" tabindex="0" aria-label=words::ignore_list()>{rows}{more}</ul> })
    };
    view! { <div class="field"><p class="tnum" role="status">{says}</p>{list}</div> }
}

fn told(skipped: &Skipped) -> String {
    let (files, bytes) = (transfer::files(skipped.files), format::bytes(skipped.bytes));
    match (skipped.first.is_empty(), skipped.is_whole) {
        (true, true) => words::ignore_none().to_owned(),
        (true, false) => words::ignore_none_yet().to_owned(),
        (_, true) => words::ignore_would(&files, &bytes),
        (_, false) => words::ignore_would_at_least(&files, &bytes),
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    #[wasm_bindgen_test]
    fn what_would_be_left_out_is_told_with_how_sure_that_is() {
        let some = Skipped {
            files: 214,
            bytes: 1_200_000_000,
            first: vec![RootPath::root()],
            is_whole: true,
        };
        assert_eq!(told(&some), "Would leave out 214 files, 1.2 GB");
        let part = Skipped {
            is_whole: false,
            ..some
        };
        assert!(told(&part).contains("and more"));
        let none = Skipped {
            is_whole: true,
            ..Skipped::default()
        };
        assert_eq!(told(&none), "Would leave out nothing");
        let none_yet = Skipped::default();
        assert!(told(&none_yet).starts_with("Nothing found so far"));
    }
}
