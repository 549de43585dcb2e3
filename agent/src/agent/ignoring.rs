//! What controllers have a root leave out.

use beckon_shared::{error::Refusal, id::RootId};

use super::Agent;
use crate::ignore::Ignore;

impl Agent {
    /// Has a root leave out what these patterns say, from now on and after a restart. What is stored already stays stored.
    /// Blocks.
    pub(crate) fn set_ignore(&self, root: &RootId, patterns: &str) -> Result<(), Refusal> {
        self.root(root)?;
        Ignore::parse(patterns)?;
        self.state.update_machine(|machine| {
            for known in machine.roots.iter_mut().filter(|known| known.id == *root) {
                patterns.clone_into(&mut known.ignore);
            }
            Ok(())
        })?;
        tracing::info!(?root, "what the root leaves out has changed");
        self.reload()
    }
}

#[cfg(test)]
mod tests {
    use beckon_shared::{browse::IGNORE_MAX, entry::EntryKind, error::ErrorCode, path::RootPath};

    use crate::agent::tests::{ROOT, Scene};

    #[tokio::test]
    async fn what_is_left_out_is_kept_and_counts_at_once() {
        let scene = Scene::alone();
        scene.agent.set_ignore(&ROOT, "*.tmp\n").unwrap();
        let root = scene.agent.root(&ROOT).unwrap();
        assert!(root.ignore().skips(&RootPath::new("a.tmp").unwrap(), EntryKind::File));
        let kept = scene.agent.state.machine().unwrap().unwrap().roots;
        assert_eq!(kept[0].ignore, "*.tmp\n");
        for bad in ["ba{d".to_owned(), "x".repeat(IGNORE_MAX + 1)] {
            scene.agent.set_ignore(&ROOT, &bad).unwrap_err();
        }
        let text = scene.agent.root(&ROOT).unwrap().ignore().text().to_owned();
        assert_eq!(text, "*.tmp\n", "what cannot be understood changes nothing");
        let other = beckon_shared::id::RootId([99; 16]);
        assert_eq!(
            scene.agent.set_ignore(&other, "x").unwrap_err().code,
            ErrorCode::NotFound
        );
    }
}
