//! The web app: its page at each of the app's addresses, and the files that the page is made of.

use actix_web::{
    HttpRequest, HttpResponse, guard,
    http::{
        Method, StatusCode,
        header::{self, AcceptEncoding, Encoding, Header as _, HeaderValue},
    },
    web,
};

use crate::{
    assets::{self, File},
    error::{Answer, Failure},
};

/// The addresses that the web app shows pages at. What stands in them is its own affair; at others it says that there is no page.
const PAGES: &[&str] = &[
    "/",
    "/setup",
    "/invite",
    "/sign-in",
    "/recover",
    "/machines",
    "/machine/{rest:.*}",
    "/device/{rest:.*}",
    "/drive",
    "/drive/{rest:.*}",
    "/transfers",
    "/transfers/{rest:.*}",
    "/search",
    "/settings",
    "/settings/{rest:.*}",
    "/admin",
    "/admin/{rest:.*}",
];

/// What has a fixed address, because browsers and systems ask for it there.
const FIXED: &[&str] = &["/manifest.webmanifest", "/icon.svg", "/favicon.ico"];

/// A file in `/app/` never changes: another content has another name.
const FOR_EVER: &str = "public, max-age=31536000, immutable";

/// Kept, but asked for again each time: it names the files of this build.
const ASK_AGAIN: &str = "no-cache";

/// The paths of this file.
pub(crate) fn routes(cfg: &mut web::ServiceConfig) {
    for path in PAGES {
        cfg.route(path, read().to(page));
    }
    for path in FIXED {
        cfg.route(path, read().to(fixed));
    }
    cfg.route("/app/{name}", read().to(hashed));
}

/// What no other route takes. Programs are told so in their own form; a person who mistyped sees the web app say it.
pub(crate) async fn nowhere(request: HttpRequest) -> HttpResponse {
    let asks = matches!(*request.method(), Method::GET | Method::HEAD);
    if !asks || is_for_programs(request.path()) {
        return HttpResponse::from_error(Failure::not_found());
    }
    let mut response = answer(&request, assets::page(), ASK_AGAIN, None);
    *response.status_mut() = StatusCode::NOT_FOUND;
    response
}

fn is_for_programs(path: &str) -> bool {
    let first = path.split('/').nth(1).unwrap_or_default();
    matches!(first, "api" | "bulk" | "app" | "socket" | "relay" | "healthz")
}

/// `GET`, and `HEAD` for the same without the content.
fn read() -> actix_web::Route {
    web::route().guard(guard::Any(guard::Get()).or(guard::Head()))
}

async fn page(request: HttpRequest) -> HttpResponse {
    checked(&request, assets::page())
}

async fn fixed(request: HttpRequest) -> Answer {
    Ok(checked(&request, find(&request)?))
}

async fn hashed(request: HttpRequest) -> Answer {
    Ok(answer(&request, find(&request)?, FOR_EVER, None))
}

fn find(request: &HttpRequest) -> Result<&'static File, Failure> {
    assets::find(request.path()).ok_or_else(Failure::not_found)
}

/// A file that the browser asks for again: not sent if it has it.
fn checked(request: &HttpRequest, file: &'static File) -> HttpResponse {
    let tag = format!("W/\"{}\"", &blake3::hash(file.plain).to_hex()[..16]);
    let known = request.headers().get_all(header::IF_NONE_MATCH);
    if known
        .filter_map(|value| value.to_str().ok())
        .any(|list| list.contains(&tag))
    {
        return HttpResponse::NotModified()
            .insert_header((header::ETAG, tag))
            .insert_header((header::CACHE_CONTROL, ASK_AGAIN))
            .insert_header((header::VARY, "accept-encoding"))
            .finish();
    }
    answer(request, file, ASK_AGAIN, HeaderValue::from_str(&tag).ok())
}

fn answer(request: &HttpRequest, file: &'static File, keep: &'static str, tag: Option<HeaderValue>) -> HttpResponse {
    let (encoding, content) = form(request, file);
    let mut response = HttpResponse::Ok();
    response
        .content_type(file.media_type())
        .insert_header((header::CACHE_CONTROL, keep))
        .insert_header((header::VARY, "accept-encoding"));
    if let Some(encoding) = encoding {
        response.insert_header((header::CONTENT_ENCODING, encoding));
    }
    if let Some(tag) = tag {
        response.insert_header((header::ETAG, tag));
    }
    response.body(content)
}

/// The form of the file that the browser likes best, of those that there are.
fn form(request: &HttpRequest, file: &'static File) -> (Option<&'static str>, &'static [u8]) {
    let plain = (None, file.plain);
    let Ok(accepted) = AcceptEncoding::parse(request) else {
        return plain;
    };
    let forms = [
        (Encoding::brotli(), Some("br"), file.brotli),
        (Encoding::gzip(), Some("gzip"), file.gzip),
        (Encoding::identity(), None, Some(file.plain)),
    ];
    let there: Vec<_> = forms.iter().filter(|(_, _, content)| content.is_some()).collect();
    let chosen = accepted.negotiate(there.iter().map(|(encoding, _, _)| encoding));
    let form = there.iter().find(|(encoding, _, _)| Some(encoding) == chosen.as_ref());
    form.map_or(plain, |(_, name, content)| (*name, content.unwrap_or(file.plain)))
}

#[cfg(test)]
mod tests {
    use actix_web::{App, body::MessageBody as _, test};

    use super::*;

    static FILE: File = File {
        path: "/app/a-0.js",
        plain: b"plain",
        brotli: Some(b"br"),
        gzip: Some(b"gz"),
    };

    fn chosen(accepted: &str) -> (Option<&'static str>, &'static [u8]) {
        let request = test::TestRequest::get().insert_header((header::ACCEPT_ENCODING, accepted));
        form(&request.to_http_request(), &FILE)
    }

    #[::core::prelude::v1::test]
    fn the_form_that_the_browser_likes_best_is_chosen() {
        assert_eq!(chosen("gzip, deflate, br, zstd"), (Some("br"), b"br".as_slice()));
        assert_eq!(chosen("gzip, br;q=0.5"), (Some("gzip"), b"gz".as_slice()));
        assert_eq!(chosen("br;q=0, gzip;q=0.1"), (Some("gzip"), b"gz".as_slice()));
        assert_eq!(chosen("identity"), (None, b"plain".as_slice()));
        assert_eq!(chosen("zstd"), (None, b"plain".as_slice()));
        let none = test::TestRequest::get().to_http_request();
        assert_eq!(form(&none, &FILE), (None, b"plain".as_slice()));
    }

    async fn ask(request: test::TestRequest) -> HttpResponse {
        let app = test::init_service(App::new().configure(routes).default_service(web::to(nowhere))).await;
        let response = test::call_service(&app, request.to_request()).await;
        response.into_parts().1.map_into_boxed_body()
    }

    #[actix_web::test]
    async fn every_address_of_the_web_app_shows_its_page() {
        for path in [
            "/",
            "/setup",
            "/machine/ab/root/x%2Fy",
            "/drive",
            "/drive/Files/a",
            "/settings/devices",
        ] {
            let response = ask(test::TestRequest::get().uri(path)).await;
            assert_eq!(response.status(), StatusCode::OK, "{path}");
            assert_eq!(response.headers().get("cache-control").unwrap(), "no-cache", "{path}");
        }
    }

    #[actix_web::test]
    async fn an_address_of_nothing_is_told_to_people_by_the_web_app_and_to_programs_in_json() {
        let kind = |response: &HttpResponse| {
            response
                .headers()
                .get("content-type")
                .unwrap()
                .to_str()
                .unwrap()
                .to_owned()
        };
        for path in ["/nothing", "/machinery", "/index.html"] {
            let response = ask(test::TestRequest::get().uri(path)).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
            assert!(kind(&response).starts_with("text/html"), "{path}");
        }
        for path in [
            "/app/none-0.js",
            "/app/../index.html",
            "/api/nothing",
            "/bulk/nothing",
            "/api",
        ] {
            let response = ask(test::TestRequest::get().uri(path)).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND, "{path}");
            assert!(kind(&response).starts_with("application/json"), "{path}");
        }
        let sent = ask(test::TestRequest::post().uri("/nothing")).await;
        assert!(kind(&sent).starts_with("application/json"));
    }

    #[actix_web::test]
    async fn a_page_that_the_browser_has_is_not_sent_again() {
        let first = ask(test::TestRequest::get().uri("/")).await;
        let tag = first.headers().get("etag").unwrap().clone();
        let again = ask(test::TestRequest::get()
            .uri("/machines")
            .insert_header(("if-none-match", tag)))
        .await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(again.into_body().try_into_bytes().unwrap().len(), 0);
    }
}
