//! Times as people write and read them: `yesterday`, `3 days ago`, `2026-11-26 10:15`. Days are those of the local time
//! zone.

use jiff::civil::{Date, DateTime};
use jiff::tz::TimeZone;
use jiff::{Span, ToSpan as _, Zoned};
use orch_protocol::Timestamp;
use orch_runtime::ports::{Clock as _, SystemClock};

/// A time as a person reads it: how long ago, and when.
pub(crate) fn both(at: Timestamp) -> String {
    format!("{} ({})", ago(at, SystemClock.now()), local(at))
}

/// Date and time of day in the local time zone.
pub(crate) fn local(at: Timestamp) -> String {
    at.to_zoned(TimeZone::system())
        .strftime("%Y-%m-%d %H:%M")
        .to_string()
}

/// How long ago, in the largest whole unit.
pub(crate) fn ago(at: Timestamp, now: Timestamp) -> String {
    let seconds = now.as_second() - at.as_second();
    let (amount, unit) = match seconds.abs() {
        0..60 => return "just now".to_owned(),
        seconds @ 60..3_600 => (seconds / 60, "minute"),
        seconds @ 3_600..86_400 => (seconds / 3_600, "hour"),
        seconds @ 86_400..2_592_000 => (seconds / 86_400, "day"),
        seconds @ 2_592_000..31_536_000 => (seconds / 2_592_000, "month"),
        seconds => (seconds / 31_536_000, "year"),
    };
    let plural = if amount == 1 { "" } else { "s" };
    match seconds > 0 {
        true => format!("{amount} {unit}{plural} ago"),
        false => format!("in {amount} {unit}{plural}"),
    }
}

/// Days from today to a day written as `2027-01-31`; negative when it is past.
pub(crate) fn days_to(day: &str) -> Option<i32> {
    let day: Date = day.parse().ok()?;
    let today = SystemClock.now().to_zoned(TimeZone::system()).date();
    Some((day - today).get_days())
}

/// The beginning of what `given` names.
pub(crate) fn since(given: &str) -> Result<Timestamp, String> {
    read(given, now()).map(|(from, _)| from)
}

/// The end of what `given` names: of a day, its last moment.
pub(crate) fn until(given: &str) -> Result<Timestamp, String> {
    read(given, now()).map(|(_, to)| to)
}

fn now() -> Zoned {
    SystemClock.now().to_zoned(TimeZone::system())
}

/// From when to when: a moment is both at once.
fn read(given: &str, now: Zoned) -> Result<(Timestamp, Timestamp), String> {
    let given = given.trim();
    let zone = now.time_zone().clone();
    let of_day = |day: Date| {
        let from = zone.to_zoned(day.at(0, 0, 0, 0)).ok()?.timestamp();
        let next = day.checked_add(1.day()).ok()?;
        let to = zone.to_zoned(next.at(0, 0, 0, 0)).ok()?.timestamp();
        Some((from, to))
    };
    let moment = |at: Timestamp| Some((at, at));
    let read = match given.to_lowercase().as_str() {
        "now" => moment(now.timestamp()),
        "today" => of_day(now.date()),
        "yesterday" => now.date().yesterday().ok().and_then(of_day),
        text => {
            if let Ok(at) = given.parse::<Timestamp>() {
                moment(at)
            } else if let Some(at) = timed(given) {
                zone.to_zoned(at).ok().and_then(|at| moment(at.timestamp()))
            } else if let Ok(day) = given.parse::<Date>() {
                of_day(day)
            } else {
                let text = text.trim_end_matches("ago").trim_end();
                let before = |span: Span| now.checked_sub(span.abs()).ok();
                text.parse()
                    .ok()
                    .and_then(before)
                    .and_then(|at| moment(at.timestamp()))
            }
        }
    };
    read.ok_or_else(|| "use a day as 2026-11-26, a time, yesterday, or 3 days ago".to_owned())
}

/// A date with a time of day; a date alone is a day.
fn timed(given: &str) -> Option<DateTime> {
    given.parse().ok().filter(|_| given.contains(':'))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        let now: Zoned = "2026-11-26T10:15[Europe/Berlin]"
            .parse()
            .unwrap_or_default();
        for (given, from, to) in [
            ("2026-11-20", "2026-11-19T23:00:00Z", "2026-11-20T23:00:00Z"),
            // The clocks were put back that night: the day had 25 hours.
            ("2026-10-25", "2026-10-24T22:00:00Z", "2026-10-25T23:00:00Z"),
            ("today", "2026-11-25T23:00:00Z", "2026-11-26T23:00:00Z"),
            ("Yesterday", "2026-11-24T23:00:00Z", "2026-11-25T23:00:00Z"),
            (
                "2026-11-20 12:30",
                "2026-11-20T11:30:00Z",
                "2026-11-20T11:30:00Z",
            ),
            (
                "2026-11-20T12:30:00Z",
                "2026-11-20T12:30:00Z",
                "2026-11-20T12:30:00Z",
            ),
            ("3 days ago", "2026-11-23T09:15:00Z", "2026-11-23T09:15:00Z"),
            ("2w", "2026-11-12T09:15:00Z", "2026-11-12T09:15:00Z"),
            (
                "1 month ago",
                "2026-10-26T09:15:00Z",
                "2026-10-26T09:15:00Z",
            ),
        ] {
            let read =
                read(given, now.clone()).map(|(from, to)| (from.to_string(), to.to_string()));
            assert_eq!(read, Ok((from.to_owned(), to.to_owned())), "{given:?}");
        }
        for given in ["", "soon", "2026-13-01", "99999999 years ago", "ago", "-"] {
            assert!(read(given, now.clone()).is_err(), "{given:?}");
        }
    }

    #[test]
    fn how_long_ago_is_told_in_whole_units() {
        let at = Timestamp::UNIX_EPOCH;
        for (seconds, expect) in [
            (0, "just now"),
            (59, "just now"),
            (60, "1 minute ago"),
            (7_199, "1 hour ago"),
            (86_400 * 29, "29 days ago"),
            (86_400 * 700, "1 year ago"),
            (-7_200, "in 2 hours"),
        ] {
            let now = Timestamp::from_second(seconds).unwrap_or_default();
            assert_eq!(ago(at, now), expect);
        }
    }
}
