//! The server's JSON, over HTTP with the session's cookie.

use beckon_shared::{
    error::{ErrorCode, Refusal},
    route,
};
use gloo_net::http::{Request, RequestBuilder, Response};
use serde::{Serialize, de::DeserializeOwned};

use crate::{account, text};

/// Reads.
pub(crate) async fn get<T: DeserializeOwned>(path: &str) -> Result<T, Refusal> {
    let response = Request::get(path).send().await.map_err(|_| offline())?;
    json(checked(response).await?).await
}

/// Changes something and reads what came of it.
pub(crate) async fn post<T: DeserializeOwned>(path: &str, body: &impl Serialize) -> Result<T, Refusal> {
    json(send(Request::post(path), body).await?).await
}

/// Changes something that is answered by nothing.
pub(crate) async fn tell(path: &str, body: &impl Serialize) -> Result<(), Refusal> {
    send(Request::post(path), body).await.map(drop)
}

/// Puts a whole thing in the place of another.
pub(crate) async fn put(path: &str, body: &impl Serialize) -> Result<(), Refusal> {
    send(Request::put(path), body).await.map(drop)
}

/// Changes parts of a thing.
pub(crate) async fn patch(path: &str, body: &impl Serialize) -> Result<(), Refusal> {
    send(Request::patch(path), body).await.map(drop)
}

/// Ends something.
pub(crate) async fn delete(path: &str) -> Result<(), Refusal> {
    let sent = Request::delete(path).header(route::MUTATION_HEADER, "1").send().await;
    checked(sent.map_err(|_| offline())?).await.map(drop)
}

/// Sends bytes.
pub(crate) async fn put_bytes(path: &str, bytes: Vec<u8>) -> Result<(), Refusal> {
    let request = Request::put(path)
        .header(route::MUTATION_HEADER, "1")
        .body(js_sys::Uint8Array::from(bytes.as_slice()));
    let sent = request.map_err(|_| offline())?.send().await;
    checked(sent.map_err(|_| offline())?).await.map(drop)
}

/// Reads some bytes of what is there: `len`, at least one, from an offset on.
pub(crate) async fn get_range(path: &str, from: u64, len: u64) -> Result<Vec<u8>, Refusal> {
    let range = format!("bytes={from}-{}", from + len - 1);
    let response = Request::get(path)
        .header("range", &range)
        .send()
        .await
        .map_err(|_| offline())?;
    checked(response).await?.binary().await.map_err(|_| offline())
}

async fn send(request: RequestBuilder, body: &impl Serialize) -> Result<Response, Refusal> {
    let request = request.header(route::MUTATION_HEADER, "1").json(body);
    let sent = request.map_err(|_| not_understood())?.send().await;
    checked(sent.map_err(|_| offline())?).await
}

async fn checked(response: Response) -> Result<Response, Refusal> {
    if response.ok() {
        return Ok(response);
    }
    let refusal: Refusal = response.json().await.unwrap_or_else(|_| not_understood());
    if refusal.code == ErrorCode::NotSignedIn {
        account::doubted();
    }
    Err(refusal)
}

async fn json<T: DeserializeOwned>(response: Response) -> Result<T, Refusal> {
    response.json().await.map_err(|_| not_understood())
}

/// No answer came.
pub(crate) fn offline() -> Refusal {
    Refusal::new(ErrorCode::GoingAway, text::error::no_connection())
}

/// What came is not ours.
pub(crate) fn not_understood() -> Refusal {
    Refusal::new(ErrorCode::Internal, text::error::not_understood())
}
