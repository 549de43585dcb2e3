//! What goes in and out: every body over HTTP, and with them the sockets, which are bodies without an end.

use std::{
    error::Error,
    pin::Pin,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    task::{Context, Poll},
};

use actix_web::{
    body::{BodySize, BoxBody, MessageBody},
    dev::Payload,
};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};

/// Bytes since the server started.
#[derive(Debug, Default)]
pub(crate) struct Traffic {
    received: AtomicU64,
    sent: AtomicU64,
}

impl Traffic {
    /// What came in and what went out.
    pub(crate) fn totals(&self) -> (u64, u64) {
        (self.received.load(Ordering::Relaxed), self.sent.load(Ordering::Relaxed))
    }

    /// The same payload, counted as it is read.
    pub(crate) fn incoming(self: Arc<Self>, payload: Payload) -> Payload {
        if matches!(payload, Payload::None) {
            return payload;
        }
        let counted = payload.inspect_ok(move |bytes| {
            self.received.fetch_add(bytes.len() as u64, Ordering::Relaxed);
        });
        Payload::Stream {
            payload: counted.boxed_local(),
        }
    }

    /// The same body, counted as it is sent.
    pub(crate) fn outgoing(self: Arc<Self>, body: BoxBody) -> BoxBody {
        BoxBody::new(Counted { body, traffic: self })
    }
}

/// A body on its way out.
struct Counted {
    body: BoxBody,
    traffic: Arc<Traffic>,
}

impl Counted {
    fn count(traffic: &Traffic, bytes: &Bytes) {
        traffic.sent.fetch_add(bytes.len() as u64, Ordering::Relaxed);
    }
}

impl MessageBody for Counted {
    type Error = Box<dyn Error>;

    fn size(&self) -> BodySize {
        self.body.size()
    }

    fn poll_next(mut self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Result<Bytes, Self::Error>>> {
        let polled = Pin::new(&mut self.body).poll_next(cx);
        if let Poll::Ready(Some(Ok(bytes))) = &polled {
            Self::count(&self.traffic, bytes);
        }
        polled
    }

    fn try_into_bytes(self) -> Result<Bytes, Self> {
        let Self { body, traffic } = self;
        match body.try_into_bytes() {
            Ok(bytes) => {
                Self::count(&traffic, &bytes);
                Ok(bytes)
            }
            Err(body) => Err(Self { body, traffic }),
        }
    }
}

#[cfg(test)]
mod tests {
    use actix_web::body;
    use futures_util::stream;

    use super::*;

    #[actix_web::test]
    async fn bodies_are_counted_once_whether_whole_or_in_pieces() {
        let traffic = Arc::new(Traffic::default());
        let whole = traffic.clone().outgoing(BoxBody::new("four"));
        assert_eq!(whole.size(), BodySize::Sized(4));
        assert_eq!(body::to_bytes(whole).await.unwrap(), "four");
        let pieces = ["a", "bc"].map(|piece| Ok::<_, actix_web::Error>(Bytes::from_static(piece.as_bytes())));
        let pieces = BoxBody::new(body::BodyStream::new(stream::iter(pieces)));
        assert_eq!(body::to_bytes(traffic.clone().outgoing(pieces)).await.unwrap(), "abc");
        let came: Payload = Payload::Stream {
            payload: stream::iter([Ok(Bytes::from_static(b"12345"))]).boxed_local(),
        };
        let came: Vec<_> = traffic.clone().incoming(came).collect().await;
        assert_eq!((came.len(), traffic.totals()), (1, (5, 7)));
    }
}
