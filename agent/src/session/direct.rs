//! Reaches a machine straight at one of its addresses: whoever answers there proves to be it, or is dropped.

use std::{net::SocketAddr, time::Duration};

use beckon_shared::{
    browse::{Answer, Ask, Route},
    device::DeviceView,
    error::{ErrorCode, Refusal},
    route,
    session::RECORD_MAX,
    statement::Standing,
    wire::SESSION_PROTOCOL,
};
use futures_util::{StreamExt, stream::FuturesUnordered};
use tokio::net::TcpStream;
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        client::IntoClientRequest,
        http::{HeaderValue, Request, header::SEC_WEBSOCKET_PROTOCOL},
        protocol::WebSocketConfig,
    },
};

use super::Session;
use crate::identity::Identity;

/// An address that has not answered for so long does not keep the next one from being tried.
const STAGGER: Duration = Duration::from_millis(150);
/// All addresses together have so long: the relay stands meanwhile.
const DEADLINE: Duration = Duration::from_millis(1500);
/// A direct line that is silent for so long while something is waited for was cut: nothing else tells of a pulled cable.
const PATIENCE: Duration = Duration::from_secs(2);

/// Tries the addresses in their order, the next one after a moment. The first behind which the machine proves to be gets the
/// session; the others have seen the first message of a handshake and learn nothing more.
pub(crate) async fn dial(
    addresses: &[SocketAddr],
    me: &Identity,
    machine: &DeviceView,
    standing: &Standing,
) -> Result<(Session, Route), Refusal> {
    tokio::time::timeout(DEADLINE, race(addresses, me, machine, standing))
        .await
        .unwrap_or_else(|_| Err(nobody(machine)))
}

async fn race(
    addresses: &[SocketAddr],
    me: &Identity,
    machine: &DeviceView,
    standing: &Standing,
) -> Result<(Session, Route), Refusal> {
    let mut to_try = addresses.iter();
    let mut under_way = FuturesUnordered::new();
    loop {
        let next = to_try.next();
        if let Some(address) = next {
            under_way.push(meet(*address, me, machine, standing));
        } else if under_way.is_empty() {
            return Err(nobody(machine));
        }
        tokio::select! {
            Some(met) = under_way.next() => match met {
                Ok(met) => return Ok(met),
                Err(refusal) => tracing::debug!(%refusal, "not the machine"),
            },
            () = tokio::time::sleep(STAGGER), if next.is_some() => {}
        }
    }
}

/// Meets whoever is at this address.
async fn meet(
    address: SocketAddr,
    me: &Identity,
    machine: &DeviceView,
    standing: &Standing,
) -> Result<(Session, Route), Refusal> {
    let silent = || nobody(machine);
    let tcp = TcpStream::connect(address).await.map_err(|cause| {
        tracing::debug!(%cause, %address, "no answer");
        silent()
    })?;
    let _ = tcp.set_nodelay(true);
    // Headers are small: a stranger cannot make this end hold much.
    let config = WebSocketConfig::default()
        .read_buffer_size(64 << 10)
        .write_buffer_size(0)
        .max_message_size(Some(RECORD_MAX))
        .max_frame_size(Some(RECORD_MAX));
    let opened = tokio_tungstenite::client_async_with_config(request(address)?, tcp, Some(config)).await;
    let (socket, _): (WebSocketStream<TcpStream>, _) = opened.map_err(|cause| {
        tracing::debug!(%cause, %address, "no WebSocket");
        silent()
    })?;
    let mut session = Session::initiate(socket, me, machine, standing).await?;
    session.patience = PATIENCE;
    let route = match session.ask(Ask::Route).await {
        Ok(Answer::Route(route)) if route != Route::Relay => route,
        Ok(_) => Route::Direct,
        Err(refusal) => return Err(refusal),
    };
    Ok((session, route))
}

/// No name in it: the host is the address itself, and there is no origin since no web page asks.
fn request(address: SocketAddr) -> Result<Request<()>, Refusal> {
    let url = format!("ws://{address}{}", route::LAN);
    let mut request = url.into_client_request().map_err(|cause| {
        tracing::warn!(%cause, %address, "no request");
        Refusal::new(
            ErrorCode::BadRequest,
            "an address of the machine cannot be dialled; use the relay",
        )
    })?;
    let protocol = HeaderValue::from_static(SESSION_PROTOCOL);
    request.headers_mut().insert(SEC_WEBSOCKET_PROTOCOL, protocol);
    Ok(request)
}

fn nobody(machine: &DeviceView) -> Refusal {
    let advice = format!(
        "{} does not answer at any of its addresses in this network; see there: beckon lan",
        machine.name
    );
    Refusal::new(ErrorCode::Away, advice)
}

#[cfg(test)]
mod tests;
