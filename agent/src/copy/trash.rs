//! What orders took away from a root: kept at its top for a while, by the day on which it went.

use std::io;

use beckon_shared::{
    entry::EntryKind,
    path::{Name, RootPath},
    time::Timestamp,
};
use chrono::{DateTime, Days, NaiveDate};

use super::{conflict::with_note, disk::Disk, place::Touched};
use crate::{
    clock,
    root::{NewName, OWN_FOLDER},
};

/// Where it is below [`OWN_FOLDER`].
const TRASH: &str = "trash";
/// So long it stays.
const DAYS: u64 = 30;
/// So many folders a day may have, since a path may have been a file and a folder in it.
const DAY_FOLDERS_MAX: usize = 100;
/// So many names are tried for something that went before on the same day.
const TRIES_MAX: usize = 10;

/// Moves what is at a path to the trash, and says where it is then. It is durable once `touched` is synced.
pub(super) fn take(disk: &dyn Disk, path: &RootPath, now: Timestamp, touched: &mut Touched) -> io::Result<RootPath> {
    make_own_folder(disk, touched)?;
    let locked = Touched::open_to_move(disk, path)?;
    let taken = take_to(disk, path, now, touched);
    if let (Err(_), Some(mode)) = (&taken, locked) {
        let _ = disk.set_mode(path, mode);
    }
    taken
}

fn take_to(disk: &dyn Disk, path: &RootPath, now: Timestamp, touched: &mut Touched) -> io::Result<RootPath> {
    for day in 1..=DAY_FOLDERS_MAX {
        let day = day_folder(now, day)?;
        for number in 1..=TRIES_MAX {
            let to = place_for(&day, path, now, number)?;
            let moved = touched
                .make_way(disk, &to)
                .and_then(|()| disk.rename(path, &to, NewName::Free));
            match moved {
                Ok(()) => {
                    touched.forget(path);
                    touched.beside(path);
                    touched.beside(&to);
                    return Ok(to);
                }
                Err(cause) if cause.kind() == io::ErrorKind::AlreadyExists => {}
                // A file of the name of one of its folders went before.
                Err(cause) if cause.kind() == io::ErrorKind::NotADirectory => break,
                Err(cause) => return Err(cause),
            }
        }
    }
    Err(io::ErrorKind::NotADirectory.into())
}

/// Removes what went long ago. What cannot be removed does not keep the rest.
pub(super) fn sweep(disk: &dyn Disk, now: Timestamp) -> io::Result<()> {
    let trash = own(&[TRASH])?;
    if disk.look(&trash)?.is_none_or(|look| look.kind != EntryKind::Folder) {
        return Ok(());
    }
    let Some(oldest) = date(now).and_then(|today| today.checked_sub_days(Days::new(DAYS))) else {
        return Ok(());
    };
    let mut swept = Ok(());
    for (name, kind) in disk.names(&trash)? {
        let day = name.as_str().and_then(date_in);
        if kind == EntryKind::Folder && day.is_some_and(|day| day < oldest) {
            let day = trash.join(&name).map_err(|_| io::ErrorKind::InvalidFilename)?;
            swept = swept.and(remove(disk, &day));
        }
    }
    swept
}

/// Removes a folder, also where folders in it only can be read.
fn remove(disk: &dyn Disk, folder: &RootPath) -> io::Result<()> {
    match disk.remove_tree(folder) {
        Err(cause) if cause.kind() == io::ErrorKind::PermissionDenied => {}
        removed => return removed,
    }
    let mut pending = vec![folder.clone()];
    while let Some(folder) = pending.pop() {
        let _ = Touched::open_to_move(disk, &folder);
        for (name, _) in disk
            .names(&folder)?
            .into_iter()
            .filter(|(_, kind)| *kind == EntryKind::Folder)
        {
            pending.extend(folder.join(&name));
        }
    }
    disk.remove_tree(folder)
}

/// Only the owner may look into it: what is in there may come from folders that others may not enter.
fn make_own_folder(disk: &dyn Disk, touched: &mut Touched) -> io::Result<()> {
    let own = own(&[])?;
    if disk.look(&own)?.is_some() {
        return Ok(());
    }
    disk.make_folder(&own)?;
    touched.beside(&own);
    disk.set_mode(&own, 0o700)
}

/// Where something goes: under its own path while nothing is there, else with the time in its name.
fn place_for(day: &RootPath, path: &RootPath, now: Timestamp, number: usize) -> io::Result<RootPath> {
    let whole = RootPath::new([day.as_bytes(), b"/", path.as_bytes()].concat());
    let name = path.split_last().map(|(_, name)| name);
    // The path was as long as paths can be.
    let short = || name.and_then(|name| day.join(&name).ok());
    let place = whole.ok().or_else(short).ok_or(io::ErrorKind::InvalidFilename)?;
    if number == 1 {
        return Ok(place);
    }
    let (above, name) = place.split_last().ok_or(io::ErrorKind::InvalidFilename)?;
    let time = DateTime::from_timestamp_millis(now.0).unwrap_or_default();
    let mut note = time.format("%H.%M.%S%.3f").to_string();
    if number > 2 {
        note = format!("{note} {}", hex::encode(clock::random::<4>()));
    }
    above
        .join(&with_note(&name, &note))
        .map_err(|_| io::ErrorKind::InvalidFilename.into())
}

fn day_folder(now: Timestamp, number: usize) -> io::Result<RootPath> {
    let date = date(now).ok_or(io::ErrorKind::InvalidInput)?;
    match number {
        1 => own(&[TRASH, &date.to_string()]),
        _ => own(&[TRASH, &format!("{date} {number}")]),
    }
}

/// The day of such a folder.
fn date_in(name: &str) -> Option<NaiveDate> {
    let (date, number) = name.split_once(' ').unwrap_or((name, "1"));
    number.parse::<usize>().ok()?;
    date.parse().ok()
}

fn own(below: &[&str]) -> io::Result<RootPath> {
    let mut path = RootPath::root();
    for name in [OWN_FOLDER].iter().chain(below) {
        let name = Name::new(name.as_bytes()).map_err(|_| io::ErrorKind::InvalidFilename)?;
        path = path.join(&name).map_err(|_| io::ErrorKind::InvalidFilename)?;
    }
    Ok(path)
}

fn date(now: Timestamp) -> Option<NaiveDate> {
    DateTime::from_timestamp_millis(now.0).map(|now| now.date_naive())
}
