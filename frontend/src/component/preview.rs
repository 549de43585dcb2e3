//! A look into a file: images, words, PDF, sound and film, as bytes of a kind that their content proves. Nothing of a
//! file is ever run.

mod drawing;
mod load;
mod sniff;

use std::sync::Arc;

use beckon_shared::error::Refusal;
use leptos::{html, prelude::*, task::spawn_local};

use self::{load::Looked, sniff::Kind};
use super::icon::Icon;
use crate::{
    dom, format,
    store::{Link, stores},
    text::{self, machine as words},
};

pub(crate) use load::Source;

/// The focus rests for so long before anything is loaded. Milliseconds.
const REST_MS: u32 = 200;

#[derive(Debug, Clone)]
enum State {
    /// Not yet, or on its way.
    Waiting,
    /// Somebody must ask for it.
    Large,
    /// There is nothing to show, for this reason.
    Nothing(&'static str),
    /// Words.
    Text(String, bool),
    /// Something that has an address.
    Media(Kind, Arc<Address>),
    /// It could not be read.
    Failed(Refusal),
}

/// An address in this page for bytes, which are let go with it.
#[derive(Debug)]
struct Address(String);

impl Drop for Address {
    fn drop(&mut self) {
        let _ = web_sys::Url::revoke_object_url(&self.0);
    }
}

/// A look into a file, for as long as the component lives. `about` is told in words what it is.
#[component]
pub(crate) fn Preview(
    /// The file.
    source: Source,
    /// What was found out about it.
    about: RwSignal<Option<String>>,
) -> impl IntoView {
    let state = RwSignal::new(State::Waiting);
    let size = source.size;
    let name = format::name(&source.name);
    let source = StoredValue::new_local(source);
    let load = move |wanted: bool, rest: u32| {
        spawn_local(async move {
            dom::sleep(rest).await;
            let Some(source) = source.try_get_value() else { return };
            let looked = load::look(&source, wanted, || !state.is_disposed()).await;
            if !state.is_disposed() {
                state.set(State::of(looked, about));
            }
        });
    };
    load(false, REST_MS);
    let again = move |_| {
        state.set(State::Waiting);
        load(true, 0);
    };
    // What failed without a connection is tried again when it is back.
    let link = stores().link;
    let is_online = Memo::new(move |_| link.get() == Link::Online);
    Effect::new(move || {
        if is_online.get() && state.with_untracked(|state| matches!(state, State::Failed(_))) {
            load(false, 0);
        }
    });
    let shown = move || match state.get() {
        State::Waiting => view! { <i class="bone" aria-hidden="true"></i> }.into_any(),
        State::Large => view! {
            <button type="button" class="button sm" on:click=again>{words::preview_load(&format::bytes(size))}</button>
        }
        .into_any(),
        State::Nothing(why) => view! { <p class="faint">{why}</p> }.into_any(),
        State::Failed(refusal) => failed(&refusal, again),
        State::Text(content, is_cut) => words_of(&name, content, is_cut),
        State::Media(kind, address) => media(&name, kind, &address, about, state),
    };
    let class = move || {
        state.with(|state| match state {
            State::Text(..) => "preview text",
            State::Media(Kind::Pdf, _) => "preview page",
            _ => "preview",
        })
    };
    view! { <div class=class>{shown}</div> }
}

impl State {
    fn of(looked: Result<Looked, Refusal>, about: RwSignal<Option<String>>) -> Self {
        match looked {
            Err(refusal) => Self::Failed(refusal),
            Ok(Looked::Empty) => Self::Nothing(words::preview_empty()),
            Ok(Looked::Unknown) => Self::Nothing(words::preview_none()),
            Ok(Looked::TooLarge) => Self::Nothing(words::preview_large()),
            Ok(Looked::Large) => Self::Large,
            Ok(Looked::Text(content, is_cut)) => {
                about.set(Some(words::kind_text().to_owned()));
                Self::Text(content, is_cut)
            }
            Ok(Looked::Media(kind, pieces)) => {
                about.set(Some(told(kind)));
                match Address::of(kind, &pieces) {
                    Some(address) => Self::Media(kind, Arc::new(address)),
                    None => Self::Nothing(words::preview_broken()),
                }
            }
        }
    }
}

fn told(kind: Kind) -> String {
    match kind {
        Kind::Image(_, name) => words::kind_image(&name),
        Kind::Drawing => words::kind_image(&drawing::FORMAT),
        Kind::Audio(_, name) => words::kind_audio(&name),
        Kind::Video(_, name) => words::kind_video(&name),
        Kind::Pdf => words::kind_pdf().to_owned(),
        Kind::Text => words::kind_text().to_owned(),
    }
}

impl Address {
    /// For the bytes under the type that they were found to be of.
    fn of(kind: Kind, pieces: &[Vec<u8>]) -> Option<Self> {
        let parts: js_sys::Array = pieces
            .iter()
            .map(|piece| js_sys::Uint8Array::from(piece.as_slice()))
            .collect();
        let options = web_sys::BlobPropertyBag::new();
        options.set_type(kind.mime());
        let blob = web_sys::Blob::new_with_u8_array_sequence_and_options(&parts, &options).ok()?;
        web_sys::Url::create_object_url_with_blob(&blob).ok().map(Self)
    }
}

fn failed(refusal: &Refusal, again: impl Fn(web_sys::MouseEvent) + 'static) -> AnyView {
    let why = text::error::of(refusal);
    view! {
        <div class="stack tight">
            <p class="faint">{words::preview_failed()} " " {why}</p>
            <button type="button" class="button sm" on:click=again><Icon name="retry"/>{text::common::retry()}</button>
        </div>
    }
    .into_any()
}

fn words_of(name: &str, content: String, is_cut: bool) -> AnyView {
    let label = words::preview_of(&name);
    let note = is_cut.then(|| view! { <p class="faint">{words::preview_cut(&format::bytes(load::TEXT_MAX))}</p> });
    view! { <pre tabindex="0" role="region" aria-label=label dir="auto">{content}</pre> {note} }.into_any()
}

fn media(
    name: &str,
    kind: Kind,
    address: &Address,
    about: RwSignal<Option<String>>,
    state: RwSignal<State>,
) -> AnyView {
    let (label, url) = (words::preview_of(&name), address.0.clone());
    let broken = move |_| state.set(State::Nothing(words::preview_broken()));
    match kind {
        Kind::Image(_, format) => {
            let image = NodeRef::<html::Img>::new();
            let loaded = move |_| {
                if let Some(image) = image.get_untracked() {
                    measured(&image, format, about);
                }
            };
            view! { <img node_ref=image src=url alt=label on:load=loaded on:error=broken/> }.into_any()
        }
        Kind::Drawing => drawing::drawing(url, label, about, broken),
        Kind::Audio(..) => view! { <audio controls=true src=url aria-label=label on:error=broken></audio> }.into_any(),
        Kind::Video(..) => view! { <video controls=true src=url aria-label=label on:error=broken></video> }.into_any(),
        Kind::Pdf => view! { <iframe src=url title=label></iframe> }.into_any(),
        Kind::Text => ().into_any(),
    }
}

/// A drawing may have no size of its own.
fn measured(image: &web_sys::HtmlImageElement, format: &'static str, about: RwSignal<Option<String>>) {
    let (width, height) = (image.natural_width(), image.natural_height());
    if width > 0 {
        about.set(Some(words::image_facts(&format, &width, &height)));
    }
}
