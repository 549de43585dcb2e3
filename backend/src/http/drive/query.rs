//! The query of a drive request: names are bytes, so it is taken apart here and not as text.

use std::str::FromStr;

use actix_web::HttpRequest;
use beckon_shared::{
    error::ErrorCode,
    path::{Name, RootPath},
};
use serde::de::{DeserializeOwned, IntoDeserializer, value::Error as ValueError};

use crate::{
    error::{Answer, Failure},
    store::meta::drive::{Place, past::When},
};

/// Rows of a page, where the request does not say.
const PAGE: u64 = 500;
/// Rows of the largest page.
const PAGE_MAX: u64 = 1000;

/// What stands behind the question mark, decoded as a form (`+` is a space); values can be any bytes.
#[derive(Debug)]
pub(in crate::http) struct Query {
    pairs: Vec<(Vec<u8>, Vec<u8>)>,
}

impl Query {
    pub(in crate::http) fn of(request: &HttpRequest) -> Self {
        Self::parse(request.query_string())
    }

    fn parse(text: &str) -> Self {
        let pairs = text.split('&').filter(|pair| !pair.is_empty());
        let pairs = pairs.map(|pair| pair.split_once('=').unwrap_or((pair, "")));
        Self {
            pairs: pairs.map(|(key, value)| (decoded(key), decoded(value))).collect(),
        }
    }

    /// The node that `node` (an id) or `path` (from the top) names; the top if neither is given.
    pub(super) fn place(&self) -> Answer<Place> {
        if let Some(id) = self.get("node")? {
            return Ok(Place::Node(id));
        }
        let path = self.raw("path").unwrap_or_default();
        let names = path.split(|byte| *byte == b'/').filter(|name| !name.is_empty());
        let names: Result<_, _> = names.map(Name::new).collect();
        names
            .map(Place::Path)
            .map_err(|bad| Failure::new(ErrorCode::BadRequest, bad.to_string()))
    }

    /// `at`: the moment of which the drive is asked for; the present one where it says nothing.
    pub(super) fn when(&self) -> Answer<When> {
        Ok(self.get("at")?.map_or(When::Now, When::At))
    }

    /// `path` below a root: names joined by `/`.
    pub(in crate::http) fn below_root(&self) -> Answer<RootPath> {
        let path = RootPath::new(self.raw("path").unwrap_or_default())
            .map_err(|bad| Failure::new(ErrorCode::BadRequest, bad.to_string()))?;
        if path.is_root() {
            let advice = "the query names no file; add path=FOLDER/FILE";
            return Err(Failure::new(ErrorCode::BadRequest, advice));
        }
        Ok(path)
    }

    /// `limit`: rows that a page is to have.
    pub(super) fn limit(&self) -> Answer<u64> {
        Ok(self.get("limit")?.unwrap_or(PAGE).clamp(1, PAGE_MAX))
    }

    /// `after`: the name that a page begins behind.
    pub(super) fn after(&self) -> Answer<Option<Name>> {
        self.binary("after")
    }

    /// A path in base64, as it stands in JSON.
    pub(super) fn root_path(&self, key: &str) -> Answer<Option<RootPath>> {
        self.binary(key)
    }

    /// A value that must be there.
    pub(super) fn required<T: FromStr>(&self, key: &str) -> Answer<T> {
        self.get(key)?.ok_or_else(|| {
            Failure::new(
                ErrorCode::BadRequest,
                format!("the query says nothing of {key}; add {key}=..."),
            )
        })
    }

    /// A value of text.
    pub(super) fn get<T: FromStr>(&self, key: &str) -> Answer<Option<T>> {
        let Some(raw) = self.raw(key) else { return Ok(None) };
        let parsed = std::str::from_utf8(raw).ok().and_then(|text| text.parse().ok());
        parsed.map(Some).ok_or_else(|| malformed(key))
    }

    /// A value in the form that it has in JSON.
    fn binary<T: DeserializeOwned>(&self, key: &str) -> Answer<Option<T>> {
        let Some(raw) = self.raw(key) else { return Ok(None) };
        let text = std::str::from_utf8(raw).map_err(|_| malformed(key))?;
        let parsed = T::deserialize(IntoDeserializer::<ValueError>::into_deserializer(text));
        parsed.map(Some).map_err(|_| malformed(key))
    }

    fn raw(&self, key: &str) -> Option<&[u8]> {
        self.pairs
            .iter()
            .find(|(name, _)| name == key.as_bytes())
            .map(|(_, value)| value.as_slice())
    }
}

fn malformed(key: &str) -> Failure {
    Failure::new(
        ErrorCode::BadRequest,
        format!("{key} is malformed in the query; see /api/openapi.json for its form"),
    )
}

/// A percent sign without two hex digits behind it stands for itself.
fn decoded(text: &str) -> Vec<u8> {
    let mut out = Vec::with_capacity(text.len());
    let mut rest = text.as_bytes();
    while let [first, tail @ ..] = rest {
        rest = tail;
        match first {
            b'+' => out.push(b' '),
            b'%' => match tail.get(..2).and_then(|digits| hex::decode(digits).ok()) {
                Some(byte) => {
                    out.extend(byte);
                    rest = &tail[2..];
                }
                None => out.push(b'%'),
            },
            other => out.push(*other),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_can_hold_any_bytes() {
        let place = Query::parse("path=Laptop/docs/caf%E9+1%2B1%26%3d.txt&limit=7")
            .place()
            .unwrap();
        let names = ["Laptop".as_bytes(), b"docs", b"caf\xe9 1+1&=.txt"].map(|name| Name::new(name).unwrap());
        assert_eq!(place, Place::Path(names.to_vec()));
    }

    #[test]
    fn without_node_and_path_the_top_is_meant() {
        for query in ["", "path=", "path=/", "limit=3"] {
            assert_eq!(Query::parse(query).place().unwrap(), Place::Path(Vec::new()));
        }
    }

    #[test]
    fn what_is_malformed_is_refused_by_name() {
        assert!(Query::parse("node=7").place().unwrap_err().to_string().contains("node"));
        assert!(
            Query::parse("limit=-1")
                .limit()
                .unwrap_err()
                .to_string()
                .contains("limit")
        );
        assert!(
            Query::parse("after=*")
                .after()
                .unwrap_err()
                .to_string()
                .contains("after")
        );
        assert!(Query::parse("path=a/../b").place().is_err());
        assert!(Query::parse("path=a%00b").place().is_err());
    }

    #[test]
    fn pages_have_bounds_and_names_stand_as_in_json() {
        assert_eq!(Query::parse("limit=99999").limit().unwrap(), PAGE_MAX);
        assert_eq!(Query::parse("").limit().unwrap(), PAGE);
        let name = Name::new(b"\xff\xfe".to_vec()).unwrap();
        let json = serde_json::to_string(&name).unwrap();
        assert_eq!(
            Query::parse(&format!("after={}", json.trim_matches('"')))
                .after()
                .unwrap(),
            Some(name)
        );
    }
}
