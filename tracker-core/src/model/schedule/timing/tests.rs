//! Cron expressions in zones that change their clocks, against a walk over every minute; intervals, dates, and far times.

use chrono::{DateTime, Datelike, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone, Timelike, Weekday};
use chrono_tz::Tz;

use super::*;
use crate::model::time::micros_at;

const DAY: Micros = 86_400_000_000;
const MINUTE: Micros = 60_000_000;

/// Zones and days around a change of their clock: forward, back, at midnight, by half an hour, historical.
const CHANGES: [(&str, &str); 12] = [
    ("Europe/Berlin", "2026-03-29"),
    ("Europe/Berlin", "2026-10-25"),
    ("America/New_York", "2026-03-08"),
    ("America/New_York", "2026-11-01"),
    ("Australia/Lord_Howe", "2026-04-05"),
    ("Australia/Lord_Howe", "2026-10-04"),
    ("America/Sao_Paulo", "2018-11-04"),
    ("America/Sao_Paulo", "2018-02-18"),
    ("Africa/Cairo", "2026-04-24"),
    ("Africa/Cairo", "2026-10-30"),
    ("Africa/Cairo", "2014-05-16"),
    ("UTC", "2026-03-29"),
];

fn calendar(expression: &str, zone: &str) -> Calendar {
    let timing = Timing::Cron { expression: expression.to_owned(), zone: zone.to_owned() };
    Calendar::of(&timing, 0).unwrap()
}

fn at(text: &str) -> Micros {
    micros_at(text.parse().unwrap())
}

/// The nominal times after `start` up to `end`.
fn times(calendar: &Calendar, start: Micros, end: Micros) -> Vec<Micros> {
    std::iter::successors(calendar.next(start), |last| calendar.next(*last)).take_while(|time| *time <= end).collect()
}

/// The days before and after a change, as instants.
fn around(day: &str) -> (Micros, Micros) {
    let midnight = at(&format!("{day}T00:00:00Z"));
    (midnight - 2 * DAY, midnight + 3 * DAY)
}

/// Every minute of the days whose local time fits.
fn minutes_that(zone: &str, (start, end): (Micros, Micros), fits: impl Fn(NaiveDateTime) -> bool) -> Vec<Micros> {
    let zone: Tz = zone.parse().unwrap();
    let minutes = (start / MINUTE + 1..=end / MINUTE).map(|minute| minute * MINUTE);
    minutes.filter(|time| fits(utc(*time).with_timezone(&zone).naive_local())).collect()
}

#[test]
fn wildcard_runs_in_both_repeated_hours_and_skips_gaps() {
    for (zone, day) in CHANGES {
        let range = around(day);
        let quarters = minutes_that(zone, range, |local| local.minute() % 15 == 0);
        assert_eq!(times(&calendar("*/15 * * * *", zone), range.0, range.1), quarters, "{zone} {day}");
        let hours = minutes_that(zone, range, |local| local.minute() == 30);
        assert_eq!(times(&calendar("30 * * * *", zone), range.0, range.1), hours, "{zone} {day}");
    }
}

#[test]
fn fixed_time_runs_once_each_day_also_if_skipped_or_repeated() {
    for (zone, day) in CHANGES {
        let tz: Tz = zone.parse().unwrap();
        let (start, end) = around(day);
        for minute in (0..24 * 60).step_by(10) {
            let (hour, minute) = (minute / 60, minute % 60);
            let found = times(&calendar(&format!("{minute} {hour} * * *"), zone), start, end);
            let first = utc(start).with_timezone(&tz).date_naive();
            let days = first.iter_days().take(7).map(|date| date.and_hms_opt(hour, minute, 0).unwrap());
            let valid = days.map(|local| micros_at(first_instant(tz, local).to_utc()));
            let expected: Vec<_> = valid.filter(|time| *time > start && *time <= end).collect();
            assert_eq!(found, expected, "{hour}:{minute} {zone} {day}");
        }
    }
}

/// The first instant of a local time; if the zone leaves it out, the first valid instant after it.
fn first_instant(zone: Tz, local: NaiveDateTime) -> DateTime<Tz> {
    (0..).find_map(|minutes| zone.from_local_datetime(&(local + TimeDelta::minutes(minutes))).earliest()).unwrap()
}

#[test]
fn lists_and_ranges_of_times_are_fixed_times() {
    for (zone, day) in CHANGES {
        let (start, end) = around(day);
        let mut alone: Vec<_> = (0..=4)
            .flat_map(|hour| [10, 30].map(|minute| calendar(&format!("{minute} {hour} * * *"), zone)))
            .flat_map(|calendar| times(&calendar, start, end))
            .collect();
        alone.sort_unstable();
        alone.dedup();
        for expression in ["10,30 0-4 * * *", "30,10 0,1,2,3,4 * * *", "0 10,30 0-2,3-4 * * *", "0 10,30 0-4 * * * *"] {
            assert_eq!(times(&calendar(expression, zone), start, end), alone, "{expression} {zone} {day}");
        }
    }
    // 02:30 is left out on 29 March, and repeated on 25 October.
    let found = |start, end| times(&calendar("30 2,4 * * *", "Europe/Berlin"), at(start), at(end));
    let march = [at("2026-03-29T01:00:00Z"), at("2026-03-29T02:30:00Z")];
    assert_eq!(found("2026-03-28T23:30:00Z", "2026-03-29T12:00:00Z"), march);
    let october = [at("2026-10-25T00:30:00Z"), at("2026-10-25T03:30:00Z")];
    assert_eq!(found("2026-10-24T23:00:00Z", "2026-10-25T12:00:00Z"), october);
}

#[test]
fn steps_and_long_lists_of_times_count_as_wildcards() {
    let found = |expression, start, end| times(&calendar(expression, "Europe/Berlin"), at(start), at(end)).len();
    for expression in ["*/30 2 * * *", "30 0-23/2 * * *", "* 2 * * *"] {
        assert_eq!(found(expression, "2026-03-29T00:30:00Z", "2026-03-29T01:30:00Z"), 0, "{expression}");
    }
    // 120 times of day.
    assert_eq!(found("0-59 2,3 * * *", "2026-10-24T22:00:00Z", "2026-10-25T12:00:00Z"), 180);
}

#[test]
fn day_that_a_zone_left_out_does_not_end_a_schedule() {
    // Samoa had no 30 December 2011.
    let found = times(&calendar("0 3 * * *", "Pacific/Apia"), at("2011-12-28T20:00:00Z"), at("2012-01-01T20:00:00Z"));
    let zone: Tz = "Pacific/Apia".parse().unwrap();
    let days: Vec<_> = found.iter().map(|time| utc(*time).with_timezone(&zone).naive_local().to_string()).collect();
    let expected = ["2011-12-29", "2011-12-31", "2012-01-01", "2012-01-02"].map(|day| format!("{day} 03:00:00"));
    assert_eq!(days, expected);
}

#[test]
fn months_without_a_day_and_years_without_29_february_skip() {
    let (start, end) = (at("2026-12-31T12:00:00Z"), at("2027-12-31T23:00:00Z"));
    let months: Vec<_> =
        times(&calendar("0 0 31 * *", "UTC"), start, end).iter().map(|time| utc(*time).month()).collect();
    assert_eq!(months, [1, 3, 5, 7, 8, 10, 12]);
    let leap = times(&calendar("0 0 29 2 *", "UTC"), start, at("2061-01-01T00:00:00Z"));
    let years: Vec<_> = leap.iter().map(|time| utc(*time).year()).collect();
    assert_eq!(years, [2028, 2032, 2036, 2040, 2044, 2048, 2052, 2056, 2060]);
    let lasts = times(&calendar("0 0 L * *", "UTC"), start, at("2028-03-01T00:00:00Z"));
    assert!(lasts.iter().all(|time| utc(*time + DAY).day() == 1) && lasts.len() == 14, "{lasts:?}");
}

#[test]
fn year_ends_follow_the_zone_and_not_utc() {
    let berlin = calendar("0 0 1 1 *", "Europe/Berlin");
    assert_eq!(berlin.next(at("2026-12-31T22:59:59Z")), Some(at("2026-12-31T23:00:00Z")));
    assert_eq!(berlin.next(at("2026-12-31T23:00:00Z")), Some(at("2027-12-31T23:00:00Z")));
}

#[test]
fn thirty_years_of_nights_are_ten_thousand_local_days() {
    let zone: Tz = "Europe/Berlin".parse().unwrap();
    let (start, end) = (at("2026-01-01T00:00:00Z"), at("2056-01-01T00:00:00Z"));
    let nights = times(&calendar("30 2 * * *", "Europe/Berlin"), start, end);
    let first = NaiveDate::from_ymd_opt(2026, 1, 1).unwrap();
    let dates: Vec<_> = nights.iter().map(|time| utc(*time).with_timezone(&zone).date_naive()).collect();
    assert_eq!(dates, first.iter_days().take(10_957).collect::<Vec<_>>());
    let sundays = times(&calendar("0 12 * * SUN", "America/New_York"), start, end);
    assert!(sundays.iter().all(|time| utc(*time).weekday() == Weekday::Sun) && sundays.len() == 1_565);
}

#[test]
fn intervals_are_elapsed_time_across_a_change_of_the_clock() {
    let anchor = at("2026-03-28T12:00:00Z");
    let calendar = Calendar::of(&Timing::Every(DAY), anchor).unwrap();
    assert_eq!(calendar.next(anchor), Some(anchor + DAY));
    assert_eq!(calendar.next(anchor + DAY - 1), Some(anchor + DAY));
    assert_eq!(calendar.next(anchor + DAY), Some(anchor + 2 * DAY));
    assert_eq!(calendar.next(anchor - 5 * DAY), Some(anchor + DAY));
    assert_eq!(calendar.next(Micros::MAX), None);
    let zone: Tz = "Europe/Berlin".parse().unwrap();
    let offsets = [anchor, anchor + DAY].map(|time| utc(time).with_timezone(&zone).offset().fix().local_minus_utc());
    assert_eq!(offsets, [3_600, 7_200], "the clock was set ahead in between");
}

#[test]
fn dates_run_in_order_and_end() {
    let calendar = Calendar::of(&Timing::Dates(vec![5, 9]), 0).unwrap();
    assert_eq!([4, 5, 8, 9].map(|after| calendar.next(after)), [Some(5), Some(9), Some(9), None]);
    assert_eq!(upcoming(&calendar, 0, 10), [utc(5), utc(9)]);
}

#[test]
fn times_with_a_fraction_of_a_second_give_the_next_second() {
    let each = calendar("* * * * * *", "UTC");
    let start = at("2026-01-01T00:00:00Z");
    assert_eq!(each.next(start - 1), Some(start));
    assert_eq!(each.next(start), Some(start + 1_000_000));
    assert_eq!(each.next(start + 999_999), Some(start + 1_000_000));
}
