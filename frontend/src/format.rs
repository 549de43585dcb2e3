//! Figures, sizes and times as people of either language read them.

use beckon_shared::time::Timestamp;

use crate::text::{self, Lang};

/// A name as it is shown: what cannot be seen, or would move other words of the page, stands as U+FFFD, spaces around it
/// as `␣`; several spaces inside keep their width.
pub(crate) fn name(text: &str) -> String {
    let inner = text.trim();
    let start = text.len() - text.trim_start().len();
    let end = start + inner.len();
    let mut after_space = false;
    let shown = |(at, c): (usize, char)| {
        let repeats = std::mem::replace(&mut after_space, c == ' ') && c == ' ';
        match c {
            c if is_hidden(c) => '\u{fffd}',
            _ if at < start || at >= end => '␣',
            _ if repeats => '\u{a0}',
            c => c,
        }
    };
    text.char_indices().map(shown).collect()
}

/// Whether a character takes no room or turns the direction of others. Joiners are left: scripts and emoji are written
/// with them.
fn is_hidden(c: char) -> bool {
    c.is_control()
        || matches!(
            c,
            '\u{ad}' | '\u{61c}' | '\u{180e}' | '\u{200b}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}'
                | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{feff}' | '\u{ffa0}' | '\u{e0001}'
        )
}

/// Bytes in decimal units, as disks are sold: `8.4 MB`, `96 kB`, `7 bytes`.
pub(crate) fn bytes(count: u64) -> String {
    const UNITS: [&str; 5] = ["kB", "MB", "GB", "TB", "PB"];
    if count < 1000 {
        return match text::lang() {
            Lang::En => format!("{count} {}", text::plural(count, "byte", "bytes")),
            Lang::Zh => format!("{count} 字节"),
        };
    }
    let mut value = count as f64 / 1000.0;
    let mut unit = 0;
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1000.0;
        unit += 1;
    }
    let digits = if value < 9.995 {
        2
    } else if value < 99.95 {
        1
    } else {
        0
    };
    // kB are whole: nobody cares for tenths of a kilobyte.
    let digits = if unit == 0 { 0 } else { digits };
    let figure = format!("{value:.digits$}");
    let figure = if digits > 0 {
        figure.trim_end_matches('0').trim_end_matches('.')
    } else {
        &figure
    };
    format!("{figure} {}", UNITS[unit])
}

/// Bytes per second.
pub(crate) fn rate(per_second: f64) -> String {
    format!("{}/s", bytes(per_second.max(0.0) as u64))
}

/// A whole number with separators of the reader's language.
pub(crate) fn count(count: u64) -> String {
    let digits = count.to_string();
    let mut text = String::with_capacity(digits.len() + digits.len() / 3);
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// Seconds left, roughly: `17 s`, `4 min`, `2 h 10 min`.
pub(crate) fn left(seconds: u64) -> String {
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    match (text::lang(), seconds) {
        (Lang::En, 0..60) => format!("{seconds} s"),
        (Lang::En, 60..3600) => format!("{minutes} min"),
        (Lang::En, _) => format!("{hours} h {} min", minutes % 60),
        (Lang::Zh, 0..60) => format!("{seconds} 秒"),
        (Lang::Zh, 60..3600) => format!("{minutes} 分钟"),
        (Lang::Zh, _) => format!("{hours} 小时 {} 分钟", minutes % 60),
    }
}

/// A span of time, roughly: as [`left`], and in days from two on.
pub(crate) fn span(seconds: u64) -> String {
    let days = seconds / 86_400;
    match text::lang() {
        _ if days < 2 => left(seconds),
        Lang::En => format!("{days} days"),
        Lang::Zh => format!("{days} 天"),
    }
}

/// A time relative to now: `just now`, `14 min ago`, `2 h ago`, `yesterday`, `3 days ago`, `21 Oct`, `21 Oct 2024`.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.since(at).as_secs();
    let (minutes, hours) = (seconds / 60, seconds / 3600);
    let zh = text::lang() == Lang::Zh;
    match seconds {
        0..60 if zh => "刚刚".to_owned(),
        0..60 => "just now".to_owned(),
        60..3600 if zh => format!("{minutes} 分钟前"),
        60..3600 => format!("{minutes} min ago"),
        3600..86_400 if zh => format!("{hours} 小时前"),
        3600..86_400 => format!("{hours} h ago"),
        _ => days(at, now, zh),
    }
}

fn days(at: Timestamp, now: Timestamp, zh: bool) -> String {
    let days = now.since(at).as_secs() / 86_400;
    match days {
        0..2 if zh => "昨天".to_owned(),
        0..2 => "yesterday".to_owned(),
        2..14 if zh => format!("{days} 天前"),
        2..14 => format!("{days} days ago"),
        _ => date(at, now),
    }
}

/// The day, with the year unless it is this one.
pub(crate) fn date(at: Timestamp, now: Timestamp) -> String {
    let (date, today) = (js_date(at), js_date(now));
    let options = js_sys::Object::new();
    let set = |key: &str, value: &str| {
        let _ = js_sys::Reflect::set(&options, &key.into(), &value.into());
    };
    set("day", "numeric");
    set("month", "short");
    if date.get_full_year() != today.get_full_year() {
        set("year", "numeric");
    }
    spaced(&String::from(date.to_locale_date_string(locale(), &options)))
}

/// The month with its year: `Nov 2026`.
pub(crate) fn month(at: Timestamp) -> String {
    let options = js_sys::Object::new();
    for (key, value) in [("month", "short"), ("year", "numeric")] {
        let _ = js_sys::Reflect::set(&options, &key.into(), &value.into());
    }
    spaced(&String::from(js_date(at).to_locale_date_string(locale(), &options)))
}

/// A space between figures and Han, which browsers leave out: `12 月 22 日` for `12月22日`.
fn spaced(date: &str) -> String {
    let is_han = |c: char| matches!(c, '\u{4e00}'..='\u{9fff}');
    let mut text = String::with_capacity(date.len() + 4);
    let mut before = None::<char>;
    for c in date.chars() {
        let meets = |before: char| (before.is_ascii_digit() && is_han(c)) || (is_han(before) && c.is_ascii_digit());
        if before.is_some_and(meets) {
            text.push(' ');
        }
        text.push(c);
        before = Some(c);
    }
    text
}

/// The exact time, for tooltips: `2026-11-22 13:12:05` in the browser's zone.
pub(crate) fn exact(at: Timestamp) -> String {
    let date = js_date(at);
    format!(
        "{:04}-{:02}-{:02} {:02}:{:02}:{:02}",
        date.get_full_year(),
        date.get_month() + 1,
        date.get_date(),
        date.get_hours(),
        date.get_minutes(),
        date.get_seconds()
    )
}

/// The time of day: `13:31`.
pub(crate) fn clock(at: Timestamp) -> String {
    let date = js_date(at);
    format!("{:02}:{:02}", date.get_hours(), date.get_minutes())
}

/// A minute of a day: `22:00`.
pub(crate) fn clock_face(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// The time of day, with the day unless that is today: `13:31`, `23 Dec, 13:31`.
pub(crate) fn moment(at: Timestamp, now: Timestamp) -> String {
    let (day, clock) = (date(at, now), clock(at));
    if day == date(now, now) {
        return clock;
    }
    match text::lang() {
        Lang::En => format!("{day}, {clock}"),
        Lang::Zh => format!("{day} {clock}"),
    }
}

fn js_date(at: Timestamp) -> js_sys::Date {
    js_sys::Date::new(&(at.0 as f64).into())
}

fn locale() -> &'static str {
    match text::lang() {
        Lang::En => "en-GB",
        Lang::Zh => "zh-CN",
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use super::{name, spaced};

    #[wasm_bindgen_test]
    fn what_cannot_be_seen_in_a_name_is_shown() {
        assert_eq!(name("Offer 1.txt"), "Offer 1.txt");
        assert_eq!(name("pay\u{200b}roll.txt"), "pay\u{fffd}roll.txt");
        assert_eq!(name(" two\u{3000}"), "␣two␣");
        assert_eq!(name("a  b"), "a \u{a0}b");
        assert_eq!(name("  "), "␣␣");
        assert_eq!(name("\u{202e}txt.exe"), "\u{fffd}txt.exe");
    }

    #[wasm_bindgen_test]
    fn scripts_and_emoji_keep_their_joiners() {
        let (persian, family) = ("می\u{200c}خواهم", "👩\u{200d}👧");
        assert_eq!((name(persian), name(family)), (persian.to_owned(), family.to_owned()));
    }

    #[wasm_bindgen_test]
    fn a_chinese_date_has_spaces_between_figures_and_han() {
        assert_eq!(spaced("2026年12月22日"), "2026 年 12 月 22 日");
        assert_eq!(spaced("22 Dec 2026"), "22 Dec 2026");
    }
}
