//! Stories of users, told with a real Chromium, real servers and real machines. One file per story.

#![allow(
    clippy::expect_used,
    clippy::unwrap_used,
    clippy::print_stderr,
    reason = "a story fails by panicking, and says on standard error what it could not tell"
)]

mod administration;
mod beckon_ui;
mod browse_a_machine;
mod chinese;
mod control_list_is_live;
mod copy_to_another_machine;
mod direct_badge;
mod download_and_zip;
mod download_from_a_machine;
mod drive_as_of;
mod drive_rename_move_delete_restore;
mod drive_versions;
mod hand_and_eye;
mod hostile_names;
mod hundred_thousand_entries;
mod ignore_patterns;
mod invitation;
mod keep_uploaded;
mod keyboard_only;
mod machine_away;
mod machine_joins;
mod machine_limits;
mod notifications;
mod password_never_leaves;
mod phone;
mod plain_http;
mod polyglots;
mod preview_polyglots;
mod put_files_into_the_drive;
mod recover;
mod restore_to_a_machine;
mod scene;
mod screenshots;
mod search;
mod send_to_a_machine;
mod sessions;
mod set_up;
mod sign_in;
mod start;
mod transfer_page;
mod transfers_are_seen_and_steered;
mod upload_from_a_machine;
mod wake_a_machine;
mod wire;
