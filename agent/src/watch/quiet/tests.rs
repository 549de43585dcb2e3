//! Tables and properties of what is due when.

use proptest::prelude::*;

use super::*;

fn path(text: &str) -> RootPath {
    RootPath::new(text).unwrap()
}

fn read(text: &str, bytes: u64) -> Read {
    Read {
        path: path(text),
        bytes,
    }
}

fn ms(millis: u64) -> Duration {
    Duration::from_millis(millis)
}

/// The places that are due, as text; a star says that all below is meant.
fn places(due: Option<Due>) -> Vec<String> {
    match due {
        None => Vec::new(),
        Some(Due::All) => vec!["everything".to_owned()],
        Some(Due::Some { places, .. }) => {
            let star = |scope: &Scope| if scope.depth == Depth::Below { "*" } else { "" };
            places.iter().map(|scope| scope.path.display() + star(scope)).collect()
        }
    }
}

#[test]
fn each_kind_of_change_is_due_when_it_should() {
    for (hint, after, shown) in [
        (Hint::Closed, 0, "a"),
        (Hint::Touched, 50, "a"),
        (Hint::Gone, 20, "a*"),
        (Hint::Arrived, 2, "a*"),
        (Hint::Moved, 0, "a*"),
    ] {
        let (mut quiet, now) = (Quiet::default(), Instant::now());
        quiet.note(path("a"), hint, now);
        assert_eq!(quiet.next(), Some(now + ms(after)), "{hint:?}");
        if after > 0 {
            assert_eq!(quiet.take(now + ms(after - 1)), None, "{hint:?}");
        }
        assert_eq!(places(quiet.take(now + ms(after))), [shown], "{hint:?}");
        assert!(quiet.is_idle() && quiet.next().is_none());
    }
}

#[test]
fn a_file_that_is_closed_after_many_writes_does_not_wait() {
    let (mut quiet, now) = (Quiet::default(), Instant::now());
    for hint in [Hint::Touched, Hint::Touched, Hint::Closed] {
        quiet.note(path("a"), hint, now);
    }
    assert_eq!(places(quiet.take(now)), ["a"]);
}

#[test]
fn both_halves_of_a_move_are_looked_at_together() {
    let (mut quiet, now) = (Quiet::default(), Instant::now());
    quiet.note(path("from"), Hint::Gone, now);
    quiet.note(path("to"), Hint::Arrived, now);
    quiet.note(path("other"), Hint::Touched, now);
    assert_eq!(places(quiet.take(now + ms(2))), ["from*", "to*"]);
    assert_eq!(places(quiet.take(now + ms(50))), ["other"]);
}

#[test]
fn a_file_that_changes_again_and_again_is_stored_less_and_less_often() {
    let (mut quiet, start) = (Quiet::default(), Instant::now());
    let (mut stored, mut now) = (Vec::new(), start);
    // It is saved each tenth of a second for two minutes.
    for _ in 0..1200 {
        quiet.note(path("log"), Hint::Closed, now);
        let until = now + ms(99);
        while let Some(next) = quiet.next().filter(|next| *next <= until) {
            quiet.take(next.max(now));
            quiet.stored(&[read("log", 100)], next.max(now));
            stored.push(next.max(now).duration_since(start));
        }
        now += ms(100);
    }
    assert!(stored.len() <= 16, "{stored:?}");
    assert_eq!(stored[0], Duration::ZERO, "the first time it does not wait");
    let longest = stored.windows(2).map(|pair| pair[1] - pair[0]).max().unwrap();
    assert!(longest <= LONGEST + ms(200), "{longest:?}");
    let later = now + SOON + LONGEST + LONGEST;
    quiet.take(later);
    quiet.note(path("log"), Hint::Closed, later + LONGEST);
    assert_eq!(
        quiet.next(),
        Some(later + LONGEST),
        "after a pause it is as any other file"
    );
}

#[test]
fn what_takes_long_to_read_and_is_never_quiet_is_read_a_small_part_of_the_time() {
    let (mut quiet, start) = (Quiet::default(), Instant::now());
    let (bytes, takes) = (10 << 30, Duration::from_secs(60));
    let (mut reads, mut now) = (0, start);
    while now < start + LONGEST_LARGE {
        quiet.note(path("disk"), Hint::Touched, now);
        if quiet.take(now).is_some() {
            reads += 1;
            now += takes;
            quiet.changing(read("disk", bytes), now);
        }
        now += ms(20);
    }
    assert!((3..=8).contains(&reads), "{reads}");
    quiet.note(path("disk"), Hint::Closed, now);
    assert!(
        quiet.next().unwrap() <= now + LONGEST,
        "once it is closed it need not wait for so long"
    );
}

#[test]
fn looks_at_everything_do_not_follow_one_another_in_a_storm() {
    let (mut quiet, now) = (Quiet::default(), Instant::now());
    quiet.all_at(now);
    assert_eq!(quiet.take(now), Some(Due::All));
    quiet.looked_at_all(now, ms(500));
    quiet.note(path("a"), Hint::Closed, now);
    quiet.all_at(now);
    assert_eq!(places(quiet.take(now)), ["a"], "what was told does not wait");
    assert_eq!(quiet.next(), Some(now + ms(2000)));
    assert_eq!(quiet.take(now + ms(2000)), Some(Due::All));
}

#[test]
fn a_folder_that_appeared_is_looked_at_twice_more() {
    let (mut quiet, now) = (Quiet::default(), Instant::now());
    quiet.appeared(&path("new"), now);
    assert!(quiet.is_idle(), "nothing is known to have changed");
    for after in AGAIN {
        assert_eq!(quiet.next(), Some(now + after));
        let due = quiet.take(now + after).unwrap();
        let Due::Some { places, repeated } = due else {
            panic!("{due:?}")
        };
        assert_eq!(places, [Scope::below(path("new"))]);
        assert!(repeated.contains(&path("new")));
    }
    assert_eq!(quiet.next(), None);
}

#[test]
fn too_many_changes_make_one_look_at_everything() {
    let (mut quiet, now) = (Quiet::default(), Instant::now());
    for at in 0..=WAITING_MAX {
        quiet.note(path(&at.to_string()), Hint::Touched, now);
    }
    assert_eq!(places(quiet.take(now)), ["everything"]);
}

proptest! {
    #[test]
    fn nothing_that_was_told_is_forgotten_or_waits_for_long(
        told in prop::collection::vec((0u64..400, 0usize..4, 0usize..5, any::<bool>()), 1..80),
    ) {
        let (mut quiet, mut now) = (Quiet::default(), Instant::now());
        let hints = [Hint::Closed, Hint::Touched, Hint::Gone, Hint::Arrived, Hint::Moved];
        let mut open: HashMap<RootPath, Instant> = HashMap::new();
        for (wait, file, hint, looks) in told {
            now += ms(wait);
            let one = path(&file.to_string());
            quiet.note(one.clone(), hints[hint], now);
            open.entry(one).or_insert(now);
            if looks && let Some(Due::Some { places, .. }) = quiet.take(now) {
                let paths: Vec<_> = places.into_iter().map(|scope| scope.path).collect();
                paths.iter().for_each(|path| _ = open.remove(path));
                let paths: Vec<_> = paths.iter().map(|path| read(&path.display(), 1)).collect();
                quiet.stored(&paths, now);
            }
            for first in open.values() {
                prop_assert!(quiet.next().unwrap() <= *first + LONGEST);
            }
        }
        let Some(Due::Some { places, .. }) = quiet.take(now + LONGEST) else {
            prop_assert!(open.is_empty());
            return Ok(());
        };
        prop_assert_eq!(places.len(), open.len());
    }
}
