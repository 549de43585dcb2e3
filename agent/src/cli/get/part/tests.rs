//! What happens to a temporary file when it is opened and when it is whole.
#![allow(clippy::disallowed_methods, reason = "a test looks at the files that are written")]

use super::*;

const FINISH: Finish = Finish {
    mode: 0,
    mtime: None,
    sync: Sync::Each,
    clash: Clash::Refuse,
};

fn names() -> (OsString, OsString) {
    let name = OsString::from("x");
    (part_name(&name), name)
}

#[cfg(unix)]
#[test]
fn what_may_not_have_reached_the_disk_is_not_kept_for_a_later_try() {
    let place = tempfile::tempdir().unwrap();
    let folder = local::open_folder(place.path()).unwrap();
    let (temporary, name) = names();
    folder.write(&temporary, b"whole").unwrap();
    // What is no file cannot be brought to the disk.
    let (end, _other) = std::os::unix::net::UnixStream::pair().unwrap();
    let file = std::fs::File::from(std::os::fd::OwnedFd::from(end));
    give_name(&file, &folder, (&temporary, &name), FINISH).unwrap_err();
    assert_eq!(folder.entries().unwrap().count(), 0);
}

#[test]
fn what_came_to_the_place_meanwhile_is_not_replaced_unless_that_is_wanted() {
    let place = tempfile::tempdir().unwrap();
    let folder = local::open_folder(place.path()).unwrap();
    let (temporary, name) = names();
    let mut file = open_temporary(&folder, &temporary).unwrap();
    file.write_all(b"came").unwrap();
    folder.write(&name, b"mine").unwrap();
    let refused = give_name(&file, &folder, (&temporary, &name), FINISH).unwrap_err();
    assert_eq!(refused.kind(), io::ErrorKind::AlreadyExists);
    assert_eq!(folder.read(&name).unwrap(), b"mine");
    assert_eq!(folder.read(&temporary).unwrap(), b"came");
    let finish = Finish {
        clash: Clash::Replace,
        ..FINISH
    };
    give_name(&file, &folder, (&temporary, &name), finish).unwrap();
    assert_eq!(folder.read(&name).unwrap(), b"came");
}

#[cfg(unix)]
#[test]
fn a_temporary_file_that_was_given_its_name_is_no_longer_the_temporary_one() {
    let place = tempfile::tempdir().unwrap();
    let folder = local::open_folder(place.path()).unwrap();
    let (temporary, name) = names();
    let file = open_temporary(&folder, &temporary).unwrap();
    assert!(still_leads_to(&folder, &temporary, &file).unwrap());
    folder.rename(&temporary, &folder, &name).unwrap();
    assert!(!still_leads_to(&folder, &temporary, &file).unwrap());
    let other = open_temporary(&folder, &temporary).unwrap();
    assert!(still_leads_to(&folder, &temporary, &other).unwrap());
    assert!(!still_leads_to(&folder, &temporary, &file).unwrap());
}

#[tokio::test]
async fn a_range_leaves_alone_what_came_of_the_whole_file() {
    let place = tempfile::tempdir().unwrap();
    let folder = Arc::new(local::open_folder(place.path()).unwrap());
    let (temporary, name) = names();
    folder.write(&temporary, b"half").unwrap();
    let mut range = Part::open_range(Arc::clone(&folder), &name).await.unwrap();
    range.write(b"range").await.unwrap();
    range.finish(FINISH).await.unwrap();
    assert_eq!(folder.read(&name).unwrap(), b"range");
    assert_eq!(folder.read(&temporary).unwrap(), b"half");
}
