//! Stories of users, told with real servers, machines and terminals. One file per story.

mod evil_server;
