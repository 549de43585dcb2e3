//! Stories of users, told with real servers, machines and terminals. One file per story.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a story fails by panicking, and says on standard error what it could not tell"
)]

mod administration;
mod bad_ends;
mod content_over_http;
mod download_goes_on;
mod drive_as_of_a_time;
mod evil_server;
mod get_from_a_machine;
mod http_for_browsers_and_curl;
mod keep_folders_in_step;
mod look_into_folders;
mod machine_joins;
mod orders_wait;
mod put_files;
mod read_while_uploading;
mod revoke;
mod run_as_a_service;
mod scene;
mod send_files;
mod sign_up_and_sign_in;
mod steer_transfers;
mod two_accounts;
mod upload_and_get;
mod upload_goes_on;
mod wake_a_machine;
mod what_cannot_be_read;
