//! The web app: its page and files at the addresses that are its own, and what is said at those of nobody.

use actix_web::{
    HttpRequest, HttpResponse,
    http::{Method, StatusCode, header},
};
use beckon_assets::{Asked, Site};

use crate::error::Failure;

/// What no other route takes.
///
/// Programs are told in their own form that there is nothing; a person who mistyped sees the web app say it.
pub(crate) async fn answer(request: HttpRequest) -> HttpResponse {
    let header = |name| request.headers().get(name).and_then(|value| value.to_str().ok());
    let asked = Asked {
        path: request.path(),
        accept_encoding: header(header::ACCEPT_ENCODING).unwrap_or_default(),
        if_none_match: header(header::IF_NONE_MATCH).unwrap_or_default(),
    };
    let reads = matches!(*request.method(), Method::GET | Method::HEAD);
    let Some(reply) = Site::default().answer(&asked).filter(|_| reads) else {
        return HttpResponse::from_error(Failure::not_found());
    };
    let mut response = HttpResponse::build(StatusCode::from_u16(reply.status).unwrap_or(StatusCode::OK));
    for header in reply.headers {
        response.insert_header(header);
    }
    response.body(reply.content)
}

#[cfg(test)]
mod tests {
    use actix_web::{App, body::MessageBody as _, test, web};

    use super::*;

    async fn ask(request: test::TestRequest) -> HttpResponse {
        let app = test::init_service(App::new().default_service(web::to(answer))).await;
        let response = test::call_service(&app, request.to_request()).await;
        response.into_parts().1.map_into_boxed_body()
    }

    fn kind(response: &HttpResponse) -> &str {
        response.headers().get("content-type").unwrap().to_str().unwrap()
    }

    #[actix_web::test]
    async fn an_address_of_nothing_is_told_to_people_by_the_web_app_and_to_programs_in_json() {
        let response = ask(test::TestRequest::get().uri("/nothing")).await;
        assert_eq!(response.status(), StatusCode::NOT_FOUND);
        assert!(kind(&response).starts_with("text/html"));
        for request in [
            test::TestRequest::get().uri("/app/none-0.js"),
            test::TestRequest::get().uri("/api/nothing"),
            test::TestRequest::get().uri("/save/0123"),
            test::TestRequest::post().uri("/nothing"),
            test::TestRequest::post().uri("/"),
        ] {
            let response = ask(request).await;
            assert_eq!(response.status(), StatusCode::NOT_FOUND);
            assert!(kind(&response).starts_with("application/json"));
        }
    }

    #[actix_web::test]
    async fn a_page_that_the_browser_has_is_not_sent_again() {
        let first = ask(test::TestRequest::get().uri("/")).await;
        assert_eq!(first.headers().get("cache-control").unwrap(), "no-cache");
        let tag = first.headers().get("etag").unwrap().clone();
        let again = ask(test::TestRequest::get()
            .uri("/machines")
            .insert_header(("if-none-match", tag)))
        .await;
        assert_eq!(again.status(), StatusCode::NOT_MODIFIED);
        assert_eq!(again.into_body().try_into_bytes().unwrap().len(), 0);
    }
}
