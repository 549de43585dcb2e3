//! Where something is, as people write it: `MACHINE:ROOT/PATH` on a live machine, `MACHINE/ROOT/PATH` in the drive, and
//! the `ref` of a listing in place of either.

use std::{ffi::OsStr, str::FromStr};

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use beckon_shared::{
    id::{DeviceId, NodeId, RootId},
    path::{Label, RootPath},
    wire,
};

use crate::{http::percent, output::Failure};

/// Opens a ref of a live entry.
const LIVE_REF: &str = "ref:";
/// Opens a ref of a node in the drive.
const NODE_REF: &str = "node:";
/// A root's name has at most 64 characters, and a live ref is longer: a device id and a root id alone take 64 in base64.
/// So no machine called `ref` can be taken for one.
const LONGEST_ROOT: usize = 64;

/// A place on a live machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Live {
    /// A machine: its roots.
    Machine(Label),
    /// Something in a root.
    Inside {
        /// The machine.
        machine: Label,
        /// The root's name.
        root: Label,
        /// The path below it.
        path: RootPath,
    },
    /// What a listing named.
    Ref(LiveRef),
}

/// Names an entry of a root beyond doubt, whatever its name's bytes are and however machine and root are renamed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct LiveRef {
    /// The machine.
    pub(crate) device: DeviceId,
    /// The root.
    pub(crate) root: RootId,
    /// The path below it.
    pub(crate) path: RootPath,
}

impl LiveRef {
    /// As it stands in listings.
    pub(crate) fn token(&self) -> String {
        format!(
            "{LIVE_REF}{}",
            URL_SAFE_NO_PAD.encode(wire::encode(&(self.device, self.root, &self.path)))
        )
    }

    fn parse(token: &[u8]) -> Result<Self, Failure> {
        let damaged = || Failure::usage("this ref is damaged; copy it again from the listing, whole");
        let bytes = URL_SAFE_NO_PAD.decode(token).map_err(|_| damaged())?;
        let (device, root, path) = wire::decode(&bytes).map_err(|_| damaged())?;
        Ok(Self { device, root, path })
    }
}

impl Live {
    /// Reads `MACHINE`, `MACHINE:`, `MACHINE:ROOT`, `MACHINE:ROOT/PATH` or a ref.
    pub(crate) fn parse(text: &OsStr) -> Result<Self, Failure> {
        let bytes = text.as_encoded_bytes();
        if let Some(token) = bytes.strip_prefix(LIVE_REF.as_bytes()).filter(|token| is_token(token)) {
            return LiveRef::parse(token).map(Self::Ref);
        }
        let (machine, rest) = split(bytes, b':');
        let machine = label(machine, "machine")?;
        let Some(rest) = rest.filter(|rest| !rest.is_empty()) else {
            return Ok(Self::Machine(machine));
        };
        let (root, path) = split(rest, b'/');
        Ok(Self::Inside {
            machine,
            root: label(root, "root")?,
            path: below(path.unwrap_or_default())?,
        })
    }
}

/// Whether this names something on a live machine, and nothing in the drive.
pub(crate) fn is_live(text: &OsStr) -> bool {
    let bytes = text.as_encoded_bytes();
    let (first, _) = split(bytes, b'/');
    first.contains(&b':') && !bytes.starts_with(NODE_REF.as_bytes())
}

fn is_token(bytes: &[u8]) -> bool {
    bytes.len() > LONGEST_ROOT
        && bytes
            .iter()
            .all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_'))
}

/// Before the first `at`, and behind it if there is one.
fn split(bytes: &[u8], at: u8) -> (&[u8], Option<&[u8]>) {
    match bytes.iter().position(|byte| *byte == at) {
        Some(place) => (&bytes[..place], Some(&bytes[place + 1..])),
        None => (bytes, None),
    }
}

fn label(bytes: &[u8], what: &str) -> Result<Label, Failure> {
    let bad = |cause: String| Failure::usage(format!("this is no name of a {what}: {cause}; write MACHINE:ROOT/PATH"));
    let text = std::str::from_utf8(bytes).map_err(|_| bad("it is not UTF-8".to_owned()))?;
    Label::new(text).map_err(|cause| bad(cause.to_string()))
}

/// A path below a root; slashes at its end do no harm.
fn below(mut bytes: &[u8]) -> Result<RootPath, Failure> {
    while let Some(shorter) = bytes.strip_suffix(b"/") {
        bytes = shorter;
    }
    RootPath::new(bytes).map_err(|cause| Failure::usage(cause.to_string()))
}

/// A place in the drive.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum DrivePlace {
    /// A path from the top; empty for the top itself.
    Path(RootPath),
    /// What a listing named.
    Node(NodeId),
}

impl DrivePlace {
    /// Reads `MACHINE/ROOT/PATH` or a ref.
    pub(crate) fn parse(text: &OsStr) -> Result<Self, Failure> {
        let bytes = text.as_encoded_bytes();
        let id = bytes
            .strip_prefix(NODE_REF.as_bytes())
            .and_then(|id| std::str::from_utf8(id).ok());
        if let Some(id) = id {
            return NodeId::from_str(id)
                .map(Self::Node)
                .map_err(|cause| Failure::usage(cause.to_string()));
        }
        let (first, _) = split(bytes, b'/');
        if first.contains(&b':') {
            let advice = "MACHINE:ROOT/PATH is the live machine (for beckon ls, get and upload), the drive is MACHINE/ROOT/PATH, with slashes only; write the place that way";
            return Err(Failure::usage(advice));
        }
        below(bytes.strip_prefix(b"/").unwrap_or(bytes)).map(Self::Path)
    }

    /// As a query to the server, without the question mark.
    pub(crate) fn query(&self) -> String {
        match self {
            Self::Path(path) => format!("path={}", percent(path.as_bytes())),
            Self::Node(node) => format!("node={node}"),
        }
    }
}

/// The ref of a node.
pub(crate) fn node_ref(node: NodeId) -> String {
    format!("{NODE_REF}{node}")
}

#[cfg(test)]
mod tests {
    use beckon_shared::time::Timestamp;
    use proptest::prelude::*;

    use super::*;

    fn live(text: &str) -> Result<Live, &'static str> {
        Live::parse(OsStr::new(text)).map_err(|failure| failure.code)
    }

    fn inside(machine: &str, root: &str, path: &str) -> Live {
        Live::Inside {
            machine: Label::new(machine).unwrap(),
            root: Label::new(root).unwrap(),
            path: RootPath::new(path).unwrap(),
        }
    }

    #[test]
    fn a_live_path_has_a_machine_a_root_and_what_is_below() {
        assert_eq!(live("laptop"), Ok(Live::Machine(Label::new("laptop").unwrap())));
        assert_eq!(live("laptop:"), live("laptop"));
        assert_eq!(live("laptop:docs"), Ok(inside("laptop", "docs", "")));
        assert_eq!(live("laptop:docs/"), Ok(inside("laptop", "docs", "")));
        assert_eq!(
            live("my laptop:my docs/a b/c:d"),
            Ok(inside("my laptop", "my docs", "a b/c:d"))
        );
        assert_eq!(live("laptop:docs/a/"), Ok(inside("laptop", "docs", "a")));
    }

    #[test]
    fn what_would_leave_the_root_or_names_nothing_is_refused() {
        for text in [
            "",
            ":docs",
            "laptop:docs/../x",
            "laptop:docs//x",
            "laptop:docs/./x",
            "laptop:/x",
            "a/b:docs",
        ] {
            assert_eq!(live(text), Err("usage"), "{text}");
        }
    }

    #[test]
    fn a_machine_called_ref_is_still_a_machine() {
        assert_eq!(live("ref:docs/a"), Ok(inside("ref", "docs", "a")));
        let longest = "r".repeat(64);
        assert_eq!(live(&format!("ref:{longest}")), Ok(inside("ref", &longest, "")));
        assert_eq!(live(&format!("ref:{longest}r")), Err("usage"));
    }

    #[test]
    fn a_drive_path_has_no_colon_in_its_first_part() {
        let parse = |text: &str| {
            DrivePlace::parse(OsStr::new(text))
                .map(|place| place.query())
                .map_err(|failure| failure.code)
        };
        assert_eq!(
            parse("laptop/docs/a b.txt").as_deref(),
            Ok("path=laptop%2Fdocs%2Fa%20b.txt")
        );
        assert_eq!(parse("/laptop/docs/").as_deref(), Ok("path=laptop%2Fdocs"));
        assert_eq!(parse("laptop/docs/a:b").as_deref(), Ok("path=laptop%2Fdocs%2Fa%3Ab"));
        assert_eq!(parse("").as_deref(), Ok("path="));
        assert_eq!(parse("laptop:docs/a"), Err("usage"));
        assert_eq!(parse("laptop/../x"), Err("usage"));
        let node = NodeId::new(Timestamp(1), [7; 10]);
        assert_eq!(parse(&node_ref(node)), Ok(format!("node={node}")));
        assert_eq!(parse("node:1234"), Err("usage"));
    }

    #[cfg(unix)]
    #[test]
    fn names_that_are_not_utf8_can_be_typed() {
        use std::os::unix::ffi::OsStrExt;
        let Ok(Live::Inside { path, .. }) = Live::parse(OsStr::from_bytes(b"m:r/caf\xe9")) else {
            panic!("no path")
        };
        assert_eq!(path.as_bytes(), b"caf\xe9");
    }

    fn any_path() -> impl Strategy<Value = RootPath> {
        let name = proptest::collection::vec(1..=255u8, 1..20)
            .prop_filter_map("no name", |bytes| beckon_shared::path::Name::new(bytes).ok());
        proptest::collection::vec(name, 0..6).prop_map(|names| {
            names
                .iter()
                .fold(RootPath::root(), |path, name| path.join(name).unwrap())
        })
    }

    proptest! {
        #[test]
        fn a_ref_comes_back_whatever_the_bytes_are(device: [u8; 32], root: [u8; 16], path in any_path()) {
            let place = LiveRef { device: DeviceId(device), root: RootId(root), path };
            prop_assert_eq!(Live::parse(OsStr::new(&place.token())).unwrap(), Live::Ref(place));
        }

        #[cfg(unix)]
        #[test]
        fn what_is_written_out_is_read_back(path in any_path()) {
            use std::os::unix::ffi::OsStrExt;
            let text = [b"m 1:r-2/", path.as_bytes()].concat();
            let read = Live::parse(OsStr::from_bytes(&text)).unwrap();
            prop_assert_eq!(read, Live::Inside { machine: Label::new("m 1").unwrap(), root: Label::new("r-2").unwrap(), path });
        }

        #[test]
        fn no_text_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let text = String::from_utf8_lossy(&bytes).into_owned();
            let _ = Live::parse(OsStr::new(&text));
            let _ = DrivePlace::parse(OsStr::new(&text));
        }
    }
}
