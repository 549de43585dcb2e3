//! The server's paths, and the machine's one, for both ends.

/// The control socket.
pub const SOCKET: &str = "/socket";
/// Joins two sockets: `/relay/TICKET`, the ticket in hex.
pub const RELAY: &str = "/relay";
/// Of a machine's own endpoint: a direct session.
pub const LAN: &str = "/lan";
/// Set on every request that changes something, with any value: other origins cannot set it without being asked.
pub const MUTATION_HEADER: &str = "x-beckon";
/// Name of the session cookie; over TLS with the `__Host-` prefix.
pub const COOKIE: &str = "beckon_session";
