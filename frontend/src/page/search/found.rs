//! What the server finds in the drive, for the words that were typed last.

use beckon_shared::{
    api::drive::{self, TreeRow},
    error::Refusal,
};
use leptos::prelude::*;

use crate::{api, dom, route};

/// Typing must rest for so long. Milliseconds.
const REST: u32 = 150;
/// Rows of a page.
const PAGE: u32 = 100;

/// What was found so far.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(super) struct Found {
    pub(super) rows: Vec<TreeRow>,
    /// Where the next page begins.
    pub(super) next: Option<String>,
}

/// A search under way.
#[derive(Debug, Clone, Copy)]
pub(super) struct Search {
    pub(super) text: RwSignal<String>,
    /// Nothing while the answer is awaited.
    pub(super) found: RwSignal<Option<Result<Found, Refusal>>>,
    /// Whether a further page is awaited.
    pub(super) adding: RwSignal<bool>,
    /// Counts what was asked: an answer to an older question is dropped.
    asked: StoredValue<u64>,
}

impl Search {
    /// Begins with these words.
    pub(super) fn new(text: String) -> Self {
        let search = Self {
            text: RwSignal::new(String::new()),
            found: RwSignal::new(None),
            adding: RwSignal::new(false),
            asked: StoredValue::new(0),
        };
        search.look_for(text);
        search
    }

    /// Looks for other words, once typing rests.
    pub(super) fn look_for(self, text: String) {
        let same = self.text.with_untracked(|before| before.trim() == text.trim());
        self.text.set(text);
        if !same {
            self.again();
        }
    }

    /// Asks anew.
    pub(super) fn again(self) {
        let text = self.text.get_untracked().trim().to_owned();
        let asked = self.ask();
        self.adding.set(false);
        // Results of a shorter word stay until those of the longer one are there.
        if self.found.with_untracked(|found| !matches!(found, Some(Ok(_)))) {
            self.found.set(None);
        }
        leptos::task::spawn_local(async move {
            dom::sleep(REST).await;
            if text.is_empty() || !self.is_newest(asked) {
                return;
            }
            let found = page(&text, None).await;
            if self.is_newest(asked) {
                self.found.set(Some(found));
            }
        });
    }

    /// Adds the next page.
    pub(super) fn more(self, next: String) {
        let text = self.text.get_untracked().trim().to_owned();
        let asked = self.ask();
        self.adding.set(true);
        leptos::task::spawn_local(async move {
            let more = page(&text, Some(next)).await;
            if !self.is_newest(asked) {
                return;
            }
            self.adding.set(false);
            self.found.update(|found| match (found, more) {
                (Some(Ok(found)), Ok(more)) => {
                    found.rows.extend(more.rows);
                    found.next = more.next;
                }
                (found, Err(refusal)) => *found = Some(Err(refusal)),
                (found, more) => *found = Some(more),
            });
        });
    }

    fn ask(self) -> u64 {
        self.asked.update_value(|asked| *asked += 1);
        self.asked.get_value()
    }

    fn is_newest(self, asked: u64) -> bool {
        self.asked.try_get_value() == Some(asked)
    }
}

async fn page(text: &str, after: Option<String>) -> Result<Found, Refusal> {
    let after = after.map(|after| format!("&after={after}")).unwrap_or_default();
    let address = format!("/api/drive/search?limit={PAGE}&q={}{after}", route::percent(text));
    let drive::Found { rows, next } = api::get(&address).await?;
    Ok(Found { rows, next })
}
