//! The keys that work everywhere, those that a page adds while it is there, and the dialog that lists all of them.

mod help;
mod press;

use std::{cell::RefCell, rc::Rc};

use leptos::prelude::*;

pub(crate) use help::KeyHelp;
pub(crate) use press::listen;

/// One key, or two one after the other, and what they do.
#[derive(Clone)]
struct Binding {
    id: u64,
    keys: &'static str,
    group: fn() -> &'static str,
    words: fn() -> &'static str,
    act: Rc<dyn Fn()>,
}

/// Asked when Escape is pressed; tells whether it had something to close.
#[derive(Clone)]
struct Escape {
    id: u64,
    act: Rc<dyn Fn() -> bool>,
}

#[derive(Default)]
struct Registry {
    next: u64,
    bindings: Vec<Binding>,
    escapes: Vec<Escape>,
}

impl Registry {
    fn number(&mut self) -> u64 {
        self.next += 1;
        self.next
    }
}

thread_local! {
    static REGISTRY: RefCell<Registry> = RefCell::default();
}

/// Binds keys for as long as the component lives: a letter (`u`), two letters (`g m`), a named key (`F2`, `Delete`), or
/// one with Ctrl or Cmd (`Ctrl+a`). The group and the words stand in the dialog of all keys. Of two that bind the same
/// key, the later one has it.
pub(crate) fn bind(
    keys: &'static str,
    group: fn() -> &'static str,
    words: fn() -> &'static str,
    act: impl Fn() + 'static,
) {
    let act = Rc::new(act);
    let id = REGISTRY.with_borrow_mut(|registry| {
        let id = registry.number();
        registry.bindings.push(Binding {
            id,
            keys,
            group,
            words,
            act,
        });
        id
    });
    on_cleanup(move || REGISTRY.with_borrow_mut(|registry| registry.bindings.retain(|binding| binding.id != id)));
}

/// Has Escape ask this for as long as the component lives, before those that asked earlier. It tells whether it closed
/// or cleared something.
pub(crate) fn on_escape(act: impl Fn() -> bool + 'static) {
    let act = Rc::new(act);
    let id = REGISTRY.with_borrow_mut(|registry| {
        let id = registry.number();
        registry.escapes.push(Escape { id, act });
        id
    });
    on_cleanup(move || REGISTRY.with_borrow_mut(|registry| registry.escapes.retain(|escape| escape.id != id)));
}

/// A copy, so that what a key does may bind and unbind others.
fn bindings() -> Vec<Binding> {
    REGISTRY.with_borrow(|registry| registry.bindings.clone())
}

fn escapes() -> Vec<Escape> {
    REGISTRY.with_borrow(|registry| registry.escapes.clone())
}
