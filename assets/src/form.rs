//! Which form of a file a browser likes best (RFC 9110, 12.5.3).

use crate::file::File;

/// The form of the file that the browser likes best, of those that there are: its name as a content coding, and the bytes.
pub(crate) fn choose(file: &'static File, accepted: &str) -> (Option<&'static str>, &'static [u8]) {
    let forms = [
        (Some("br"), file.brotli),
        (Some("gzip"), file.gzip),
        (None, Some(file.plain)),
    ];
    let mut best = (0, (None, file.plain));
    for (name, content) in forms {
        let weight = weight(accepted, name);
        if let Some(content) = content.filter(|_| weight > best.0) {
            best = (weight, (name, content));
        }
    }
    best.1
}

/// How much the browser likes a form, in thousandths. No form at all is what it takes last, unless it says otherwise.
fn weight(accepted: &str, name: Option<&str>) -> u16 {
    let mut any = None;
    for item in accepted.split(',') {
        let (coding, parameters) = item.split_once(';').unwrap_or((item, ""));
        let coding = coding.trim();
        if coding.eq_ignore_ascii_case(name.unwrap_or("identity")) {
            return quality(parameters);
        }
        if coding == "*" {
            any = Some(quality(parameters));
        }
    }
    match name {
        Some(_) => any.unwrap_or(0),
        None => any.unwrap_or(1).max(1),
    }
}

fn quality(parameters: &str) -> u16 {
    let Some((_, value)) = parameters.split_once("q=") else {
        return 1000;
    };
    let value: f32 = value.trim().parse().unwrap_or(0.0);
    // Between 0 and 1000, so nothing is cut off.
    (value.clamp(0.0, 1.0) * 1000.0) as u16
}

#[cfg(test)]
mod tests {
    use super::*;

    static FILE: File = File {
        path: "/app/a-0.js",
        plain: b"plain",
        brotli: Some(b"br"),
        gzip: Some(b"gz"),
    };

    #[test]
    fn the_form_that_the_browser_likes_best_is_chosen() {
        assert_eq!(choose(&FILE, "gzip, deflate, br, zstd"), (Some("br"), b"br".as_slice()));
        assert_eq!(choose(&FILE, "gzip, br;q=0.5"), (Some("gzip"), b"gz".as_slice()));
        assert_eq!(choose(&FILE, "br;q=0, GZIP; q=0.1"), (Some("gzip"), b"gz".as_slice()));
        for plain in ["identity", "zstd", "", "br;q=x", "identity, gzip;q=0.5", "*;q=0"] {
            assert_eq!(choose(&FILE, plain), (None, b"plain".as_slice()), "{plain}");
        }
        assert_eq!(choose(&FILE, "*"), (Some("br"), b"br".as_slice()));
    }

    #[test]
    fn a_form_that_is_not_there_is_not_chosen() {
        static DENSE: File = File {
            path: "/app/a-0.png",
            plain: b"plain",
            brotli: None,
            gzip: None,
        };
        assert_eq!(choose(&DENSE, "br, gzip"), (None, b"plain".as_slice()));
    }
}
