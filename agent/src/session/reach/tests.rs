//! A machine whose ways are cut, fall silent, come back and flap, in virtual time.

mod played;

use std::time::Duration;

use beckon_shared::{
    browse::{ListAsk, Page},
    entry::{Direction, SortKey},
    error::ErrorCode,
    path::RootPath,
};
use futures_util::future::join_all;

use super::*;
use crate::agent::tests::ROOT;
use played::{Played, Weather};

const SECOND: Duration = Duration::from_secs(1);

fn begin(played: &Arc<Played>) -> Reach {
    Reach::begin(Arc::clone(played) as Arc<dyn Dial>, Use::AtOnce, Use::AtOnce)
}

/// One byte of the letter that lies in the machine's root.
fn read(at: u64) -> Ask {
    Ask::Read {
        root: ROOT,
        path: RootPath::new("letter").unwrap(),
        offset: at % 11,
        len: 1,
    }
}

fn letter(at: u64) -> Answer {
    Answer::Bytes(vec![b"dear reader"[usize::try_from(at % 11).unwrap()]])
}

fn list(snapshot: Option<u64>) -> Ask {
    Ask::List(ListAsk {
        root: ROOT,
        path: RootPath::root(),
        sort: SortKey::Name,
        direction: Direction::Ascending,
        offset: 0,
        max_bytes: 4096,
        snapshot,
    })
}

async fn page(reach: &Reach, snapshot: Option<u64>) -> Result<(Page, Route), Refusal> {
    reach.ask_by(list(snapshot)).await.map(|(answer, route)| match answer {
        Answer::Page(page) => (page, route),
        other => panic!("{other:?}"),
    })
}

/// Waits until asks take this way.
async fn takes(reach: &Reach, route: Option<Route>) {
    while reach.route() != route {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test(start_paused = true)]
async fn the_relay_is_used_at_once_and_left_as_soon_as_the_machine_answers_straight() {
    let played = Played::new();
    played.set(Way::Direct, Weather::Late(SECOND));
    let reach = begin(&played);
    assert_eq!(reach.ask_by(read(0)).await.unwrap(), (letter(0), Route::Relay));
    takes(&reach, Some(Route::Lan)).await;
    assert_eq!(reach.ask_by(read(1)).await.unwrap(), (letter(1), Route::Lan));
    assert_eq!(played.dialled(), [Way::Direct, Way::Relay]);
}

#[tokio::test(start_paused = true)]
async fn what_is_under_way_when_the_cable_is_pulled_is_answered_over_the_relay_within_two_seconds() {
    let played = Played::new();
    let reach = begin(&played);
    takes(&reach, Some(Route::Lan)).await;
    played.silence(Way::Direct);
    let begun = Instant::now();
    let answers = join_all((0..100).map(|at| reach.ask_by(read(at)))).await;
    for (at, answer) in (0..).zip(answers) {
        assert_eq!(answer.unwrap(), (letter(at), Route::Relay));
    }
    assert!(begun.elapsed() <= 2 * SECOND + SECOND / 10, "{:?}", begun.elapsed());
    assert_eq!(played.asked(Way::Relay), 100, "each once over the relay");
}

#[tokio::test(start_paused = true)]
async fn a_line_that_breaks_is_left_at_once_and_tried_again() {
    let played = Played::new();
    let reach = begin(&played);
    takes(&reach, Some(Route::Lan)).await;
    played.set(Way::Direct, Weather::Dead);
    played.cut(Way::Direct);
    let begun = Instant::now();
    assert_eq!(reach.ask_by(read(3)).await.unwrap(), (letter(3), Route::Relay));
    assert!(begun.elapsed() < SECOND / 10);
    played.set(Way::Direct, Weather::Fair);
    takes(&reach, Some(Route::Lan)).await;
    assert!(begun.elapsed() < 5 * SECOND, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_machine_that_works_on_a_long_answer_is_not_taken_for_gone() {
    let played = Played::new();
    let reach = begin(&played);
    takes(&reach, Some(Route::Lan)).await;
    played.work_for(20 * SECOND);
    let begun = Instant::now();
    let stat = Ask::Stat {
        root: ROOT,
        path: RootPath::new("letter").unwrap(),
    };
    let (_, route) = reach.ask_by(stat).await.unwrap();
    assert_eq!(route, Route::Lan);
    assert!(begun.elapsed() >= 20 * SECOND);
    assert_eq!(played.dialled(), [Way::Direct, Way::Relay], "nothing was dialled anew");
}

#[tokio::test(start_paused = true)]
async fn with_both_ways_dead_it_says_why_and_works_again_when_one_is_back() {
    let played = Played::new();
    let reach = begin(&played);
    takes(&reach, Some(Route::Lan)).await;
    for way in [Way::Relay, Way::Direct] {
        played.set(way, Weather::Dead);
        played.cut(way);
    }
    let begun = Instant::now();
    let refusals = join_all((0..20).map(|at| reach.ask(read(at)))).await;
    assert!(
        refusals
            .into_iter()
            .all(|answer| answer.unwrap_err().message == "the relay is dead")
    );
    assert!(begun.elapsed() < 5 * SECOND, "{:?}", begun.elapsed());
    played.set(Way::Relay, Weather::Fair);
    assert_eq!(reach.ask_by(read(1)).await.unwrap(), (letter(1), Route::Relay));
    played.set(Way::Direct, Weather::Fair);
    takes(&reach, Some(Route::Lan)).await;
}

#[tokio::test(start_paused = true)]
async fn a_way_that_hangs_does_not_keep_the_other_from_being_used() {
    let played = Played::new();
    played.set(Way::Relay, Weather::Late(30 * SECOND));
    let reach = begin(&played);
    assert_eq!(reach.ask_by(read(1)).await.unwrap().1, Route::Lan);
}

#[tokio::test(start_paused = true)]
async fn a_direct_way_that_flaps_is_tried_less_and_less_and_every_ask_is_answered() {
    let played = Played::new();
    let reach = begin(&played);
    let begun = Instant::now();
    let mut at = 0;
    while begun.elapsed() < 600 * SECOND {
        assert_eq!(reach.ask(read(at)).await, Ok(letter(at)));
        at += 1;
        tokio::time::sleep(SECOND / 2).await;
        played.cut(Way::Direct);
    }
    let dials = played.dialled().into_iter().filter(|way| *way == Way::Direct).count();
    assert!((10..20).contains(&dials), "{dials} in ten minutes");
    assert_eq!(played.dialled().len(), dials + 1, "the relay stood all the time");
}

#[tokio::test(start_paused = true)]
async fn an_ask_under_which_every_line_breaks_ends() {
    let played = Played::new();
    played.set(Way::Direct, Weather::Dead);
    played.break_when_asked(true);
    let reach = begin(&played);
    assert_eq!(reach.ask(read(0)).await.unwrap_err().code, ErrorCode::Away);
    assert_eq!(played.asked(Way::Relay), TRIES_MAX);
    played.break_when_asked(false);
    assert_eq!(reach.ask(read(0)).await, Ok(letter(0)));
}

#[tokio::test(start_paused = true)]
async fn a_listing_goes_on_over_the_line_that_it_began_on_and_never_over_another() {
    let played = Played::new();
    played.set(Way::Direct, Weather::Late(SECOND));
    let reach = begin(&played);
    let (first, route) = page(&reach, None).await.unwrap();
    assert_eq!(route, Route::Relay);
    takes(&reach, Some(Route::Lan)).await;
    let (second, route) = page(&reach, None).await.unwrap();
    assert_eq!(route, Route::Lan);
    assert_ne!(
        first.snapshot, second.snapshot,
        "the machine counts from one in each session"
    );
    let (again, route) = page(&reach, Some(first.snapshot)).await.unwrap();
    assert_eq!((again.snapshot, route), (first.snapshot, Route::Relay));
    played.cut(Way::Relay);
    assert_eq!(
        page(&reach, Some(first.snapshot)).await.unwrap_err(),
        listing::no_longer_kept()
    );
    assert_eq!(page(&reach, Some(second.snapshot)).await.unwrap().1, Route::Lan);
    played.silence(Way::Direct);
    assert_eq!(
        page(&reach, Some(second.snapshot)).await.unwrap_err(),
        listing::no_longer_kept()
    );
    assert_eq!(page(&reach, Some(77)).await.unwrap_err(), listing::no_longer_kept());
}

#[tokio::test(start_paused = true)]
async fn bulk_has_a_line_of_its_own_and_leaves_the_relay_alone_where_it_is_not_needed() {
    let played = Played::new();
    let reach = begin(&played);
    takes(&reach, Some(Route::Lan)).await;
    let bulk = reach.bulk();
    assert_eq!(bulk.ask_by(read(0)).await.unwrap().1, Route::Lan);
    assert_eq!(played.dialled(), [Way::Direct, Way::Relay, Way::Direct]);
    reach.close();
    assert_eq!(reach.ask(read(0)).await.unwrap_err().code, ErrorCode::Away);
    assert_eq!(bulk.ask(read(0)).await, Ok(letter(0)));
    played.set(Way::Direct, Weather::Dead);
    played.cut(Way::Direct);
    assert_eq!(bulk.ask_by(read(0)).await.unwrap().1, Route::Relay);
}

#[tokio::test(start_paused = true)]
async fn lines_close_with_the_last_who_could_ask() {
    let played = Played::new();
    let reach = begin(&played);
    takes(&reach, Some(Route::Lan)).await;
    let other = reach.clone();
    drop(reach);
    assert_eq!(other.ask(read(0)).await, Ok(letter(0)));
    assert_eq!(played.standing(), 2);
    drop(other);
    while played.standing() > 0 {
        tokio::time::sleep(SECOND / 100).await;
    }
}
