//! Whether anything changed in the networks around this machine: asked again and again, and for next to nothing where the
//! system tells of it.

#[cfg(target_os = "linux")]
use std::os::fd::OwnedFd;

/// What the system told since it was asked last.
#[derive(Debug)]
pub(crate) struct Changes {
    /// A message for each change; nothing if the system does not tell.
    #[cfg(target_os = "linux")]
    told: Option<OwnedFd>,
}

#[cfg(target_os = "linux")]
impl Changes {
    /// Those of links, neighbours, addresses and routes: RTMGRP_LINK, _NEIGH, _IPV4_IFADDR, _IPV4_ROUTE, _IPV6_IFADDR and
    /// _IPV6_ROUTE of rtnetlink(7).
    const GROUPS: u32 = 0x1 | 0x4 | 0x10 | 0x40 | 0x100 | 0x400;

    /// Has the system tell from now on.
    pub(crate) fn listen() -> Self {
        let told = Self::socket().inspect_err(|cause| tracing::debug!(%cause, "the system tells nothing of networks"));
        Self { told: told.ok() }
    }

    /// Whether there may have been any since this was asked last; always, where the system does not tell.
    pub(crate) fn any(&self) -> bool {
        use rustix::{
            io::Errno,
            net::{RecvFlags, recv},
        };
        let Some(told) = &self.told else { return true };
        let mut any = false;
        loop {
            // That it came is all that matters; what does not fit is dropped.
            match recv(told, &mut [0; 1], RecvFlags::DONTWAIT) {
                // There were more than the system keeps.
                Ok(_) | Err(Errno::NOBUFS | Errno::INTR) => any = true,
                Err(Errno::AGAIN) => return any,
                Err(_) => return true,
            }
        }
    }

    /// Whoever writes to the other end plays the system.
    #[cfg(test)]
    pub(crate) fn told_by(system: impl Into<OwnedFd>) -> Self {
        let told = Some(system.into());
        Self { told }
    }

    fn socket() -> rustix::io::Result<OwnedFd> {
        use rustix::net::{AddressFamily, SocketFlags, SocketType, bind, netlink::SocketAddrNetlink, socket_with};
        // Without a protocol it is NETLINK_ROUTE.
        let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, None)?;
        bind(&socket, &SocketAddrNetlink::new(0, Self::GROUPS))?;
        Ok(socket)
    }
}

#[cfg(not(target_os = "linux"))]
impl Changes {
    /// The system is not asked to tell.
    pub(crate) fn listen() -> Self {
        Self {}
    }

    /// There may always have been some.
    pub(crate) fn any(&self) -> bool {
        true
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use std::os::unix::net::UnixDatagram;

    use super::*;

    #[test]
    fn what_was_told_is_told_once_however_often() {
        let (system, told) = UnixDatagram::pair().unwrap();
        let changes = Changes::told_by(told);
        assert!(!changes.any());
        for _ in 0..3 {
            system.send(b"a route is gone").unwrap();
        }
        assert_eq!([changes.any(), changes.any()], [true, false]);
    }

    #[test]
    fn the_system_tells_whoever_asks_and_where_it_does_not_anything_may_have_changed() {
        assert!(Changes::listen().told.is_some());
        assert!(Changes { told: None }.any());
    }
}
