//! Faults that are planted on purpose, to prove that the simulation would notice them. They exist in tests, and in builds
//! with the feature `sabotage`, which cannot be optimised ones; in all others not one instruction is left of them.

#[cfg(all(feature = "sabotage", not(debug_assertions)))]
compile_error!(
    "a server that loses data on purpose is for tests: build without `--release` or without the feature `sabotage`"
);

/// Names in the environment which fault is planted, by [`Sabotage::NAMES`].
#[cfg(any(test, feature = "sabotage"))]
pub(crate) const VARIABLE: &str = "BECKON_SABOTAGE";

/// What can be planted.
#[cfg(any(test, feature = "sabotage"))]
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sabotage {
    /// Packs are not synced before they are called durable.
    NoSync,
    /// The folders that name packs are not synced.
    NoFolderSync,
    /// Whoever waits for chunks to be durable is answered at once.
    AnswerEarly,
    /// A commit is taken whatever it was made on top of.
    NoCompare,
    /// Chunks are called present, and nothing keeps them from being collected.
    NoPin,
    /// Collection takes no notice of uploads that go on.
    CollectAlways,
    /// Chunks are taken for what they say they are.
    NoVerify,
}

#[cfg(any(test, feature = "sabotage"))]
impl Sabotage {
    /// All of them, with their names.
    pub(crate) const NAMES: [(Self, &str); 7] = [
        (Self::NoSync, "no-sync"),
        (Self::NoFolderSync, "no-folder-sync"),
        (Self::AnswerEarly, "answer-early"),
        (Self::NoCompare, "no-compare"),
        (Self::NoPin, "no-pin"),
        (Self::CollectAlways, "collect-always"),
        (Self::NoVerify, "no-verify"),
    ];
}

/// Whether this fault is planted in the running process.
#[cfg(any(test, feature = "sabotage"))]
pub(crate) fn is_planted(what: Sabotage) -> bool {
    use std::sync::OnceLock;
    static PLANTED: OnceLock<Option<Sabotage>> = OnceLock::new();
    let planted = PLANTED.get_or_init(|| {
        let name = std::env::var(VARIABLE).ok()?;
        let known = Sabotage::NAMES.into_iter().find(|(_, known)| *known == name);
        tracing::error!(
            name,
            known = known.is_some(),
            "a fault is planted on purpose; this server loses data"
        );
        known.map(|(what, _)| what)
    });
    *planted == Some(what)
}

/// `sabotage!(NoSync => return Ok(()))` does that where this fault is planted.
#[cfg(any(test, feature = "sabotage"))]
macro_rules! sabotage {
    ($what:ident => $deed:expr) => {
        if $crate::store::sabotage::is_planted($crate::store::sabotage::Sabotage::$what) {
            $deed;
        }
    };
}

/// Without tests or the feature it is nothing.
#[cfg(not(any(test, feature = "sabotage")))]
macro_rules! sabotage {
    ($what:ident => $deed:expr) => {};
}

pub(crate) use sabotage;
