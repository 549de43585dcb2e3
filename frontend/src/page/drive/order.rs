//! The order of names, as the reader's language has it and with numbers by value; in small pieces, so that the page stays free.

use std::{cmp::Ordering, sync::Arc};

use js_sys::{Array, Function, Intl::Collator, Object, Reflect};
use wasm_bindgen::JsValue;

use super::item::Item;
use crate::{dom, text};

/// So long the page may be busy at a stretch. Milliseconds.
const STRETCH: f64 = 12.0;
/// The clock is looked at after so many comparisons.
const LOOK: u32 = 256;

/// Sorts by name. What is in order already costs little.
pub(super) async fn by_name(items: Vec<Arc<Item>>) -> Vec<Arc<Item>> {
    let mut compare = Compare::new(items.iter().map(|item| item.label.as_str()));
    let count = items.len();
    let mut from: Vec<u32> = (0..count as u32).collect();
    let mut to = Vec::with_capacity(count);
    let mut width = 1;
    while width < count {
        for run in from.chunks(2 * width) {
            let (left, right) = run.split_at(width.min(run.len()));
            compare.merge(left, right, &mut to).await;
        }
        std::mem::swap(&mut from, &mut to);
        to.clear();
        width *= 2;
    }
    from.into_iter().map(|at| items[at as usize].clone()).collect()
}

struct Compare {
    names: Vec<JsValue>,
    compare: Function,
    asked: u32,
    since: f64,
}

impl Compare {
    fn new<'a>(names: impl Iterator<Item = &'a str>) -> Self {
        Self {
            names: names.map(JsValue::from_str).collect(),
            compare: collation(),
            asked: 0,
            since: js_sys::Date::now(),
        }
    }

    async fn merge(&mut self, mut left: &[u32], mut right: &[u32], to: &mut Vec<u32>) {
        let in_order = match (left.last(), right.first()) {
            (Some(last), Some(first)) => self.order(*last, *first) != Ordering::Greater,
            _ => true,
        };
        while !in_order && let ([one, left_rest @ ..], [two, right_rest @ ..]) = (left, right) {
            if self.order(*one, *two) == Ordering::Greater {
                to.push(*two);
                right = right_rest;
            } else {
                to.push(*one);
                left = left_rest;
            }
            self.breathe().await;
        }
        to.extend_from_slice(left);
        to.extend_from_slice(right);
        self.breathe().await;
    }

    fn order(&mut self, one: u32, two: u32) -> Ordering {
        self.asked += 1;
        let (one, two) = (&self.names[one as usize], &self.names[two as usize]);
        let order = self.compare.call2(&JsValue::UNDEFINED, one, two);
        let order = order.ok().and_then(|order| order.as_f64()).unwrap_or(0.0);
        order.partial_cmp(&0.0).unwrap_or(Ordering::Equal)
    }

    async fn breathe(&mut self) {
        if self.asked < LOOK {
            return;
        }
        self.asked = 0;
        if js_sys::Date::now() - self.since > STRETCH {
            dom::sleep(0).await;
            self.since = js_sys::Date::now();
        }
    }
}

/// The browser's own comparison of names.
fn collation() -> Function {
    let options = Object::new();
    let _ = Reflect::set(&options, &"numeric".into(), &true.into());
    let locales = Array::of1(&text::lang().tag().into());
    Collator::new(&locales, &options).compare()
}

#[cfg(test)]
mod tests {
    use beckon_shared::{api::drive::NodeView, entry::EntryKind, id::NodeId, time::Timestamp};
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn item(name: &str) -> Arc<Item> {
        Item::of(NodeView {
            id: NodeId::new(Timestamp(1), [0; 10]),
            parent: None,
            name: name.to_owned(),
            name_bytes: None,
            kind: EntryKind::File,
            size: 0,
            mtime: Timestamp(0),
            head: None,
            hash: None,
            torn: false,
            mode: 0,
            target: None,
            deleted: None,
            device: None,
            stored: None,
            versions: 1,
        })
    }

    async fn sorted(names: &[String]) -> Vec<String> {
        let items = by_name(names.iter().map(|name| item(name)).collect()).await;
        items.iter().map(|item| item.label.clone()).collect()
    }

    #[wasm_bindgen_test]
    async fn numbers_go_by_value_and_case_does_not_matter() {
        let names = ["b", "photo 10", "A", "photo 9", "äpfel", "c"].map(str::to_owned);
        assert_eq!(sorted(&names).await, ["A", "äpfel", "b", "c", "photo 9", "photo 10"]);
    }

    #[wasm_bindgen_test]
    async fn many_are_sorted_whatever_order_they_come_in() {
        let names: Vec<_> = (0..3001_u32).map(|n| format!("file {}", (n * 1_237) % 3_001)).collect();
        let expected: Vec<_> = (0..3001).map(|n| format!("file {n}")).collect();
        assert_eq!(sorted(&names).await, expected);
        assert_eq!(sorted(&expected).await, expected);
        assert_eq!(sorted(&[]).await, Vec::<String>::new());
    }
}
