//! `beckon device limit NAME`: how fast a machine may send, and when.

use beckon_shared::{
    device::DeviceView,
    limits::{DAY, Hours, Limits},
};
use reqwest::Method;

use super::{DeviceJson, find};
use crate::{
    cli::{Here, size::rate},
    output::{Exit, Failure, size},
};

/// What `device limit` is told.
#[derive(Debug, clap::Args)]
pub(crate) struct Args {
    /// Name or id of a machine
    name: String,
    /// Bytes a second that its transfers may send together, as 500KiB or 2MiB; 0 sends nothing
    #[arg(long, value_name = "RATE", value_parser = rate)]
    rate: Option<u64>,
    /// When the rate does not count, each day by the machine's clock, as 22:00-07:00
    #[arg(long, value_name = "HOURS", value_parser = hours, requires = "rate")]
    full_speed: Option<Hours>,
    /// Let it send as fast as it can
    #[arg(long, conflicts_with_all = ["rate", "full_speed"])]
    none: bool,
}

/// Sets the limits of a machine; without any, only shows them.
pub(super) async fn run(here: &Here, args: Args) -> Result<Exit, Failure> {
    let device = find(here, &args.name).await?;
    let is_change = args.none || args.rate.is_some();
    let limits = match is_change {
        true => Limits {
            rate: args.rate,
            full_speed: args.full_speed,
        },
        false => device.limits,
    };
    if is_change {
        let api = here.api(&here.controller()?)?;
        api.tell(Method::PUT, &format!("/api/devices/{}/limits", device.id), &limits)
            .await?;
    }
    let limited = DeviceView { limits, ..device };
    here.out.one(&DeviceJson::from(&limited), || {
        format!("{} sends {}", limited.name, shown(&limits))
    })?;
    Ok(Exit::Done)
}

/// Limits in words.
pub(super) fn shown(limits: &Limits) -> String {
    let most = match limits.rate {
        None => return "as fast as it can".to_owned(),
        Some(0) => "nothing".to_owned(),
        Some(rate) => format!("at most {}/s", size(rate)),
    };
    match limits.full_speed {
        None => most,
        Some(hours) => format!(
            "{most}, and as fast as it can from {} to {}",
            clock_face(hours.from),
            clock_face(hours.to)
        ),
    }
}

fn clock_face(minute: u16) -> String {
    format!("{:02}:{:02}", minute / 60, minute % 60)
}

/// `22:00-07:00`.
fn hours(text: &str) -> Result<Hours, String> {
    let parsed = text.split_once('-').and_then(|(from, to)| {
        Some(Hours {
            from: minute(from)?,
            to: minute(to)?,
        })
    });
    parsed.ok_or_else(|| "write hours of the day as 22:00-07:00; they may go over midnight".to_owned())
}

/// `22:00`, and `24:00` for the end of the day.
fn minute(text: &str) -> Option<u16> {
    let number = |text: &str| match text.len() {
        1 | 2 if text.bytes().all(|byte| byte.is_ascii_digit()) => text.parse::<u16>().ok(),
        _ => None,
    };
    let (hour, minute) = text.trim().split_once(':')?;
    let (hour, minute) = (number(hour)?, number(minute).filter(|minute| *minute < 60)?);
    let at = hour * 60 + minute;
    (at <= DAY).then_some(at % DAY)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hours_are_written_as_on_a_clock() {
        let night = Hours {
            from: 22 * 60,
            to: 7 * 60,
        };
        assert_eq!(hours("22:00-07:00"), Ok(night));
        assert_eq!(hours("22:00 - 7:00"), Ok(night));
        assert_eq!(
            hours("18:30-24:00"),
            Ok(Hours {
                from: 18 * 60 + 30,
                to: 0
            })
        );
        for text in [
            "",
            "22-7",
            "22:00",
            "25:00-07:00",
            "22:60-07:00",
            "-1:00-07:00",
            "24:01-1:00",
        ] {
            assert!(hours(text).is_err(), "{text}");
        }
    }

    #[test]
    fn limits_are_told_in_words() {
        let full_speed = Some(Hours {
            from: 22 * 60,
            to: 7 * 60 + 5,
        });
        let limits = |rate, full_speed| shown(&Limits { rate, full_speed });
        assert_eq!(limits(None, None), "as fast as it can");
        assert_eq!(limits(Some(2 << 20), None), "at most 2.0 MiB/s");
        assert_eq!(
            limits(Some(0), full_speed),
            "nothing, and as fast as it can from 22:00 to 07:05"
        );
    }
}
