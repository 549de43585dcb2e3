//! `beckon roots`: the folders that this machine's owner opened.

use std::{
    path::{Path, PathBuf},
    str::FromStr,
};

use beckon_shared::{
    device::Hello,
    error::{ErrorCode, Refusal},
    id::RootId,
    path::Label,
};

use super::{Here, run, service};
use crate::{
    clock,
    output::{Exit, Failure, Table, visible},
    state::{self, RootConfig, StateDir},
};

/// So many closed roots are kept in mind.
const CLOSED_MAX: usize = 256;

/// What `roots` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    #[command(subcommand)]
    command: Option<Command>,
}

#[derive(Debug, clap::Subcommand)]
enum Command {
    /// Open a folder
    Add {
        /// NAME=PATH, or NAME=PATH:rw to allow writing
        root: RootArg,
    },
    /// Let orders write into an open folder, or no longer
    Writable {
        /// Name of the root
        name: Label,
        /// Whether they may
        may: Switch,
    },
    /// Close a folder: nothing in it can be reached any more; what is in the drive stays
    Remove {
        /// Name of the root
        name: Label,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
enum Switch {
    /// They may
    On,
    /// They may only read
    Off,
}

/// A folder to open, as it was typed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct RootArg {
    name: Label,
    path: PathBuf,
    writable: bool,
}

impl FromStr for RootArg {
    type Err = String;
    fn from_str(text: &str) -> Result<Self, String> {
        let (name, path) = text
            .split_once('=')
            .ok_or("write NAME=PATH, such as docs=/home/me/Documents")?;
        let name = Label::new(name).map_err(|cause| cause.to_string())?;
        let (path, writable) = path.strip_suffix(":rw").map_or((path, false), |path| (path, true));
        if path.is_empty() {
            return Err("the path is missing; write NAME=PATH".to_owned());
        }
        Ok(Self {
            name,
            path: PathBuf::from(path),
            writable,
        })
    }
}

impl RootArg {
    /// Its name, if another one before it has the same.
    pub(crate) fn name_given_twice(roots: &[Self]) -> Option<&Label> {
        let is_again = |(at, root): &(usize, &Self)| roots[..*at].iter().any(|before| before.name == root.name);
        roots.iter().enumerate().find(is_again).map(|(_, root)| &root.name)
    }
}

/// Lists the roots, opens or closes one. An agent that runs is told.
pub(crate) async fn run(here: &Here, args: Args) -> Result<Exit, Failure> {
    match args.command {
        None => {
            let machine = here.state.machine()?.ok_or_else(not_joined)?;
            here.out.list(&machine.roots, || table(&machine.roots))?;
        }
        Some(Command::Add { root }) => add(here, root).await?,
        Some(Command::Writable { name, may }) => set_writable(here, &name, may == Switch::On).await?,
        Some(Command::Remove { name }) => remove(here, &name).await?,
    }
    Ok(Exit::Done)
}

pub(crate) fn not_joined() -> Failure {
    Refusal::new(
        ErrorCode::NotSignedIn,
        "this device is no machine yet; run: beckon join URL CODE --root NAME=PATH",
    )
    .into()
}

fn table(roots: &[RootConfig]) -> Table {
    let mut table = Table::new(&["NAME", "WRITABLE", "PATH"], &[]);
    for root in roots {
        let writable = if root.writable { "yes" } else { "no" };
        table.row([
            root.name.to_string(),
            writable.to_owned(),
            visible(root.path.as_os_str().as_encoded_bytes()),
        ]);
    }
    table
}

async fn add(here: &Here, root: RootArg) -> Result<(), Failure> {
    let name = root.name.clone();
    let mut problem = None;
    let machine = here.state.update_machine(|machine| {
        open(&here.state, &mut machine.roots, &mut machine.closed, root).map_err(|failure| {
            let refusal = Refusal::new(ErrorCode::BadRequest, failure.message.clone());
            problem = Some(failure);
            refusal
        })
    });
    if let Some(failure) = problem {
        return Err(failure);
    }
    let told = run::reload(here).await;
    let added = machine?.roots.into_iter().find(|root| root.name == name);
    here.out.one(&added, || format!("opened {name}{}", when(told)))?;
    added.iter().for_each(|root| service::remind(here, root));
    Ok(())
}

async fn set_writable(here: &Here, name: &Label, writable: bool) -> Result<(), Failure> {
    let machine = here.state.update_machine(|machine| {
        let root = machine.roots.iter_mut().find(|root| root.name == *name);
        root.ok_or_else(|| unknown(name))?.writable = writable;
        Ok(())
    })?;
    let told = run::reload(here).await;
    let changed = machine.roots.into_iter().find(|root| root.name == *name);
    here.out.one(&changed, || {
        let may = if writable { "may write into" } else { "may only read" };
        format!("orders {may} {name}{}", when(told))
    })?;
    changed.iter().for_each(|root| service::remind(here, root));
    Ok(())
}

fn unknown(name: &Label) -> Refusal {
    Refusal::new(
        ErrorCode::NotFound,
        format!("no root is called {name}; see: beckon roots"),
    )
}

async fn remove(here: &Here, name: &Label) -> Result<(), Failure> {
    here.state
        .update_machine(|machine| close(&mut machine.roots, &mut machine.closed, name).ok_or_else(|| unknown(name)))?;
    let told = run::reload(here).await;
    here.out.one(&serde_json::json!({ "name": name, "removed": true }), || {
        format!("closed {name}{}", when(told))
    })
}

/// Whether the agent heard of it.
fn when(told: bool) -> &'static str {
    if told {
        ""
    } else {
        "; it counts from the next beckon run on"
    }
}

/// Takes a root out, and keeps in mind which folder it was.
fn close(roots: &mut Vec<RootConfig>, closed: &mut Vec<RootConfig>, name: &Label) -> Option<()> {
    let at = roots.iter().position(|root| root.name == *name)?;
    closed.push(roots.remove(at));
    let too_many = closed.len().saturating_sub(CLOSED_MAX);
    closed.drain(..too_many);
    Some(())
}

/// What this folder was when it was closed last, best under the same name: what is in the drive belongs to its id, and what
/// its owner left out stays left out.
fn former(closed: &mut Vec<RootConfig>, name: &Label, path: &Path) -> Option<RootConfig> {
    let same = |root: &RootConfig| root.path == path && root.name == *name;
    let at = closed
        .iter()
        .rposition(same)
        .or_else(|| closed.iter().rposition(|root| root.path == path))?;
    Some(closed.remove(at))
}

/// Puts a folder among the roots: it must be there, under a name that is free, and not show this program's own keys.
pub(crate) fn open(
    state: &StateDir,
    roots: &mut Vec<RootConfig>,
    closed: &mut Vec<RootConfig>,
    root: RootArg,
) -> Result<(), Failure> {
    let path = state::owned_folder(&root.path)?;
    if path.starts_with(state.path()) {
        return Err(Failure::usage(format!(
            "{} holds this program's own keys and cannot be a root; name another folder",
            path.display()
        )));
    }
    if let Some(known) = roots.iter_mut().find(|known| known.name == root.name) {
        return again(known, &path, root.writable);
    }
    if roots.len() >= Hello::MAX_ROOTS {
        return Err(Failure::usage(format!(
            "a machine has at most {} roots; close one with: beckon roots remove NAME",
            Hello::MAX_ROOTS
        )));
    }
    let former = former(closed, &root.name, &path);
    let (id, ignore) = former.map_or_else(
        || (RootId(clock::random()), String::new()),
        |former| (former.id, former.ignore),
    );
    roots.push(RootConfig {
        id,
        name: root.name,
        path,
        writable: root.writable,
        ignore,
    });
    Ok(())
}

/// The same folder under the same name keeps its id; only whether it may be written changes.
fn again(known: &mut RootConfig, path: &Path, writable: bool) -> Result<(), Failure> {
    if known.path != path {
        let message = format!(
            "a root called {} is open already, for {}; choose another name, or remove it first",
            known.name,
            known.path.display()
        );
        return Err(Refusal::new(ErrorCode::NameTaken, message).into());
    }
    known.writable = writable;
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_root_is_a_name_and_a_path() {
        let root = |text: &str| text.parse::<RootArg>();
        let docs = RootArg {
            name: Label::new("docs").unwrap(),
            path: PathBuf::from("/a=b/c"),
            writable: false,
        };
        assert_eq!(root("docs=/a=b/c"), Ok(docs.clone()));
        assert_eq!(root("docs=/a=b/c:rw"), Ok(RootArg { writable: true, ..docs }));
        for text in ["", "docs", "=/a", "docs=", "docs=:rw", "a/b=/x"] {
            assert!(root(text).is_err(), "{text}");
        }
    }

    #[test]
    fn a_root_is_a_folder_outside_the_state_with_a_name_of_its_own() {
        let temporary = tempfile::tempdir().unwrap();
        let state = StateDir::open(&temporary.path().join("state")).unwrap();
        let path = |name: &str| temporary.path().join(name);
        let arg = |name: &str, path: PathBuf| RootArg {
            name: Label::new(name).unwrap(),
            path,
            writable: false,
        };
        let mut roots = Vec::new();
        let open = |roots: &mut Vec<RootConfig>, root| open(&state, roots, &mut Vec::new(), root);
        assert!(open(&mut roots, arg("a", path("absent"))).is_err());
        assert!(open(&mut roots, arg("a", path("state"))).is_err());
        open(&mut roots, arg("a", path(""))).unwrap();
        let id = roots[0].id;
        open(
            &mut roots,
            RootArg {
                writable: true,
                ..arg("a", path(""))
            },
        )
        .unwrap();
        assert_eq!((roots.len(), roots[0].id, roots[0].writable), (1, id, true));
        let elsewhere = tempfile::tempdir().unwrap();
        assert_eq!(
            open(&mut roots, arg("a", elsewhere.path().to_owned()))
                .unwrap_err()
                .code,
            "name-taken"
        );
    }

    #[test]
    fn a_folder_that_is_closed_and_opened_again_is_the_same_root() {
        let temporary = tempfile::tempdir().unwrap();
        let state = StateDir::open(&temporary.path().join("state")).unwrap();
        let (here, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let name = |name: &str| Label::new(name).unwrap();
        let arg = |text: &str, path: &Path| RootArg {
            name: name(text),
            path: path.to_owned(),
            writable: false,
        };
        let (mut roots, mut closed) = (Vec::new(), Vec::new());
        open(&state, &mut roots, &mut closed, arg("a", here.path())).unwrap();
        let id = roots[0].id;
        roots[0].ignore = "*.tmp\n".to_owned();
        close(&mut roots, &mut closed, &name("a")).unwrap();
        assert!(close(&mut roots, &mut closed, &name("a")).is_none());
        open(&state, &mut roots, &mut closed, arg("a", elsewhere.path())).unwrap();
        assert_ne!(roots[0].id, id, "another folder is another root");
        open(&state, &mut roots, &mut closed, arg("b", here.path())).unwrap();
        assert_eq!((roots[1].id, closed.len()), (id, 0));
        assert_eq!(roots[1].ignore, "*.tmp\n", "what was left out stays left out");
        open(&state, &mut roots, &mut closed, arg("c", here.path())).unwrap();
        assert_ne!(roots[2].id, id, "an id is given to one root only");
    }

    #[test]
    fn a_name_that_is_given_twice_is_found() {
        let root = |text: &str| text.parse::<RootArg>().unwrap();
        assert_eq!(RootArg::name_given_twice(&[root("a=/x"), root("b=/x")]), None);
        assert_eq!(
            RootArg::name_given_twice(&[root("a=/x"), root("a=/x")]).map(Label::as_str),
            Some("a")
        );
    }
}
