//! What a browser is answered that asks for the web app.

use bytes::Bytes;

use crate::{
    address::{self, Found},
    file::{self, File},
    form,
};

/// A file whose name holds its content's hash never changes.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Kept, but asked for again each time: it names the files of this build.
const ASK_AGAIN: &str = "no-cache";

/// The web app as one program serves it.
#[derive(Debug, Clone, Default)]
pub struct Site {
    /// The page that knows its server; without one it takes it from where it came.
    page: Option<Bytes>,
}

/// What a browser asks for, by `GET` or `HEAD`.
#[derive(Debug, Clone, Copy, Default)]
pub struct Asked<'a> {
    /// The path, still escaped, without the query.
    pub path: &'a str,
    /// `Accept-Encoding`.
    pub accept_encoding: &'a str,
    /// `If-None-Match`: the tags of what the browser has.
    pub if_none_match: &'a str,
}

/// An answer. [`crate::HEADERS`] belong to it as far as it does not say otherwise.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// 200, 304 or 404.
    pub status: u16,
    /// Headers, their names in lower case.
    pub headers: Vec<(&'static str, String)>,
    /// The body.
    pub content: Bytes,
}

impl Site {
    /// Served by another program than the server of this origin, which the page is told.
    pub fn of_server(origin: &str) -> Self {
        let page = String::from_utf8_lossy(file::page().plain);
        let meta = format!("<head>\n<meta name=\"server\" content=\"{}\">", escape(origin));
        let page = page.replacen("<head>", &meta, 1);
        Self {
            page: Some(page.into()),
        }
    }

    /// What is answered; nothing if the web app has no part in what is asked for.
    pub fn answer(&self, asked: &Asked<'_>) -> Option<Reply> {
        Some(match address::look_up(asked.path)? {
            Found::Page => checked(asked, self.page(asked)),
            Found::Fixed(file) => checked(asked, Content::of(file, asked)),
            Found::Hashed(file) => Content::of(file, asked).reply(200, FOR_EVER),
            Found::Nowhere => self.page(asked).reply(404, ASK_AGAIN),
        })
    }

    fn page(&self, asked: &Asked<'_>) -> Content {
        let file = file::page();
        match &self.page {
            None => Content::of(file, asked),
            Some(page) => Content {
                file,
                coding: None,
                bytes: page.clone(),
                tag: tag(page),
            },
        }
    }
}

/// A file in the form that goes out.
struct Content {
    file: &'static File,
    coding: Option<&'static str>,
    bytes: Bytes,
    tag: String,
}

impl Content {
    fn of(file: &'static File, asked: &Asked<'_>) -> Self {
        let (coding, bytes) = form::choose(file, asked.accept_encoding);
        Self {
            file,
            coding,
            bytes: Bytes::from_static(bytes),
            tag: String::new(),
        }
    }

    fn reply(self, status: u16, keep: &str) -> Reply {
        let mut headers = vec![
            ("content-type", self.file.media_type().to_owned()),
            ("content-security-policy", self.file.policy().to_owned()),
            ("cache-control", keep.to_owned()),
            ("vary", "accept-encoding".to_owned()),
        ];
        headers.extend(self.coding.map(|coding| ("content-encoding", coding.to_owned())));
        Reply {
            status,
            headers,
            content: self.bytes,
        }
    }
}

/// What the browser asks for again: not sent if it has it.
fn checked(asked: &Asked<'_>, content: Content) -> Reply {
    let tag = match content.tag.as_str() {
        "" => tag(content.file.plain),
        known => known.to_owned(),
    };
    let has_it = asked.if_none_match.contains(&tag);
    let mut reply = content.reply(if has_it { 304 } else { 200 }, ASK_AGAIN);
    reply.headers.push(("etag", tag));
    if has_it {
        reply.content = Bytes::new();
        reply
            .headers
            .retain(|(name, _)| !matches!(*name, "content-type" | "content-encoding"));
    }
    reply
}

/// The same for all forms, hence weak.
fn tag(content: &[u8]) -> String {
    format!("W/\"{}\"", &blake3::hash(content).to_hex()[..16])
}

/// As the value of an attribute between double quotes.
fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('"', "&quot;").replace('<', "&lt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ask(site: &Site, path: &str) -> Reply {
        let asked = Asked {
            path,
            ..Asked::default()
        };
        site.answer(&asked).unwrap()
    }

    fn header<'a>(reply: &'a Reply, wanted: &str) -> &'a str {
        let found = reply.headers.iter().find(|(name, _)| *name == wanted);
        found.map_or("", |(_, value)| value)
    }

    #[test]
    fn a_page_is_asked_for_again_each_time_and_not_sent_again() {
        for site in [Site::default(), Site::of_server("https://drive.example")] {
            let first = ask(&site, "/");
            assert_eq!((first.status, header(&first, "cache-control")), (200, "no-cache"));
            let again = Asked {
                path: "/machines",
                if_none_match: &format!("W/\"00\", {}", header(&first, "etag")),
                ..Asked::default()
            };
            let again = site.answer(&again).unwrap();
            assert_eq!((again.status, again.content.len()), (304, 0));
            assert_eq!(ask(&site, "/nothing").status, 404);
        }
    }

    #[test]
    fn the_page_is_told_its_server_where_another_program_serves_it() {
        let page = |site: &Site| String::from_utf8(ask(site, "/").content.to_vec()).unwrap();
        let own = page(&Site::default());
        let other = page(&Site::of_server("https://drive.example\"><script>"));
        assert!(!own.contains("name=\"server\""), "{own}");
        let meta = "\n<meta name=\"server\" content=\"https://drive.example&quot;>&lt;script>\">";
        assert_eq!(other.replace(meta, ""), own);
        assert_ne!(
            header(&ask(&Site::default(), "/"), "etag"),
            header(&ask(&Site::of_server("a"), "/"), "etag")
        );
    }
}
