//! Adding a machine: one line to paste there, and the wait for it. A dialog of the machines page, and a step of set-up.

mod code;
mod command;
mod wait;

use beckon_shared::id::DeviceId;
use leptos::prelude::*;

use self::{
    code::Code,
    command::{Command, System},
    wait::Waiting,
};
use super::{
    copy_button::CopyButton,
    dialog::{Dialog, ProblemLine, fresh_id},
    icon::Icon,
};
use crate::{dom, store::stores, text::machines as words};

/// The dialog of the machines page.
#[component]
pub(crate) fn AddMachineDialog(
    /// Whether it is open.
    open: RwSignal<bool>,
    /// The machine that joined while it was open.
    joined: RwSignal<Option<DeviceId>>,
) -> impl IntoView {
    view! {
        <Dialog open title=words::add_title().to_owned()>
            <div class="body"><AddMachine joined/></div>
        </Dialog>
    }
}

/// What is chosen, the line that comes of it, and the wait.
#[component]
pub(crate) fn AddMachine(
    /// The machine that joined.
    joined: RwSignal<Option<DeviceId>>,
) -> impl IntoView {
    joined.set(None);
    let system = RwSignal::new(System::guess());
    let folder = RwSignal::new(system.get_untracked().folder().to_owned());
    let writable = RwSignal::new(false);
    let code = Code::new(stores());
    // A machine that may receive files is another kind of machine, so its code is another one.
    Effect::new(move || code.make(writable.get()));
    let command = Memo::new(move |_| {
        let text = code.text()?;
        Command::new(system.get(), &dom::origin(), &text, &folder.read(), writable.get())
    });
    view! {
        <p class="quiet">{words::add_says()}</p>
        <div class="stack close">
            <Systems system folder/>
            <Folder folder system/>
            <Writable writable/>
            <CommandLine code command writable/>
            <p class="hint">{words::get_it()}</p>
            {is_loopback().then(|| view! { <p class="problem soft"><Icon name="alert"/><span>{words::loopback()}</span></p> })}
        </div>
        <Waiting code joined/>
    }
}

/// Whether no other computer reaches the address of this page.
fn is_loopback() -> bool {
    let host = dom::window().location().hostname().unwrap_or_default();
    host == "localhost" || host == "[::1]" || host.starts_with("127.")
}

#[component]
fn Systems(system: RwSignal<System>, folder: RwSignal<String>) -> impl IntoView {
    let button = move |which: System| {
        let pressed = move || if system.get() == which { "true" } else { "false" };
        let choose = move |_| {
            // A folder that nobody touched follows the system.
            if *folder.read_untracked() == system.get_untracked().folder() {
                folder.set(which.folder().to_owned());
            }
            system.set(which);
        };
        view! { <button type="button" aria-pressed=pressed on:click=choose>{which.word()}</button> }
    };
    view! {
        <div class="segmented" role="group" aria-label=words::system()>{System::ALL.map(button).collect_view()}</div>
    }
}

#[component]
fn Folder(folder: RwSignal<String>, system: RwSignal<System>) -> impl IntoView {
    let (id, hint) = (fresh_id("folder"), fresh_id("hint"));
    let is_bad = Memo::new(move |_| !system.get().takes(folder.read().trim()));
    let problem = Signal::derive(move || is_bad.get().then(|| words::folder_problem().to_owned()));
    view! {
        <div class="field">
            <label for=id.clone()>{words::folder()}</label>
            <div class="input">
                <input
                    id=id class="mono" spellcheck="false" autocapitalize="off" autocomplete="off" aria-describedby=hint.clone()
                    prop:value=move || folder.get() on:input=move |event| folder.set(event_target_value(&event))
                    aria-invalid=move || is_bad.get().then_some("true")
                />
            </div>
            <p class="hint" id=hint>{words::folder_hint()}</p>
            <ProblemLine problem/>
        </div>
    }
}

#[component]
fn Writable(writable: RwSignal<bool>) -> impl IntoView {
    view! {
        <label class="option">
            <input
                class="check" type="checkbox" prop:checked=move || writable.get()
                on:change=move |event| writable.set(event_target_checked(&event))
            />
            <span>{words::writable()}<span class="hint block">{words::writable_hint()}</span></span>
        </label>
    }
}

#[component]
fn CommandLine(code: Code, command: Memo<Option<Command>>, writable: RwSignal<bool>) -> impl IntoView {
    let text = Signal::derive(move || command.with(|command| command.as_ref().map(Command::text).unwrap_or_default()));
    let parts = move |command: Command| {
        view! {
            <div class="command">
                <code aria-label=words::command() tabindex="0">
                    {command.before}" "<span class="code">{command.code}</span>" "<span class="arg">{command.root}</span>{command.after}
                </code>
                <CopyButton value=text/>
            </div>
        }
    };
    let missing = move || {
        let busy = move || code.busy.get().then_some("true");
        let word = move || {
            if code.is_over() {
                words::again()
            } else {
                words::make_code()
            }
        };
        view! {
            <div class="stack close">
                <p class="quiet">{move || if code.is_over() { words::expired() } else { words::code_wants_password() }}</p>
                <p><button type="button" class="button" aria-busy=busy on:click=move |_| code.make(writable.get_untracked())>{word}</button></p>
            </div>
        }
    };
    // Told apart from the clock, which moves every second.
    let has_code = Memo::new(move |_| code.text().is_some());
    move || match (command.get(), has_code.get()) {
        (Some(command), _) => parts(command).into_any(),
        // The folder says what is wrong with it.
        (None, true) => ().into_any(),
        (None, false) => view! { {missing()}<ProblemLine problem=code.problem/> }.into_any(),
    }
}
