//! Adding a machine: one line to paste there, and the wait for it. A dialog of the machines page, and a step of set-up.

mod code;
mod command;
mod wait;

use beckon_shared::id::DeviceId;
use leptos::{html, prelude::*};

use self::{
    code::Code,
    command::{Command, System},
    wait::Waiting,
};
use super::{
    copy_button::CopyButton,
    dialog::{Dialog, ProblemLine, fresh_id},
    icon::Icon,
    unlock::UnlockField,
};
use crate::{dom, text::machines as words};

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
    let code = Code::new();
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
            <LoopbackNote says=words::loopback()/>
        </div>
        <Waiting code joined/>
    }
}

/// Says what comes of it where no other computer reaches the address of this page.
#[component]
pub(crate) fn LoopbackNote(says: &'static str) -> impl IntoView {
    let host = dom::host();
    let is_loopback =
        host == "localhost" || host.starts_with("localhost:") || host.starts_with("[::1]") || host.starts_with("127.");
    is_loopback.then(|| view! { <p class="problem soft"><Icon name="alert"/><span>{says}</span></p> })
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
        let line = NodeRef::<html::Code>::new();
        line.on_load(move |line| {
            // The form that made it is gone, and the focus with it.
            if code.is_asked_for.try_update_value(std::mem::take) == Some(true) {
                let _ = line.focus();
            }
        });
        view! {
            <div class="command">
                <code node_ref=line aria-label=words::command() tabindex="0">
                    {command.before}" "<span class="code">{command.code}</span>" "<span class="arg">{command.root}</span>{command.after}
                </code>
                <CopyButton value=text/>
            </div>
        }
    };
    // Told apart from the clock, which moves every second.
    let has_code = Memo::new(move |_| code.text().is_some());
    move || match (command.get(), has_code.get()) {
        (Some(command), _) => parts(command).into_any(),
        // The folder says what is wrong with it.
        (None, true) => ().into_any(),
        (None, false) => view! { <NoCode code writable/><ProblemLine problem=code.problem/> }.into_any(),
    }
}

/// What stands in the place of the line while there is no code to put into it.
#[component]
fn NoCode(code: Code, writable: RwSignal<bool>) -> impl IntoView {
    let busy = move || code.busy.get().then_some("true");
    let wants_password = code.unlocking.needed;
    let says = move || match (code.is_over(), wants_password.get()) {
        (true, false) => words::expired().to_owned(),
        (true, true) => format!("{} {}", words::expired(), words::code_wants_password()),
        (false, _) => words::code_wants_password().to_owned(),
    };
    let word = move || {
        if code.is_over() {
            words::again()
        } else {
            words::make_code()
        }
    };
    let send = move |event: web_sys::SubmitEvent| {
        event.prevent_default();
        code.unlock_and_make(writable);
    };
    view! {
        <form class="stack close" on:submit=send>
            <p class="quiet">{says}</p>
            <UnlockField unlocking=code.unlocking/>
            <p><button type="submit" class="button primary" aria-busy=busy>{word}</button></p>
        </form>
    }
}
