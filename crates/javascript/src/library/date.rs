//! Dates: the proleptic Gregorian calendar, texts and their reading; local time is that of the zone that the host offers, or UTC.
//!
//! Field of a date object: its time value, milliseconds since 1970 or NaN.

mod parse;

use self::parse::parse;
use super::{Arguments, Leaf, Native};
use crate::heap::Kind;
use crate::value::Value;
use crate::vm::{Vm, Zone};

const fn leaf(name: &'static str, leaf: Leaf) -> Native {
    Native { target: "", name, length: 0, convert: "", leaf }
}

const DAY: f64 = 86_400_000.0;
const DAYS: [&str; 7] = ["Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"];
const MONTHS: [&str; 12] = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

pub(super) const NATIVES: &[Native] = &[
    leaf("now", |vm, _| vm.now().map(|ms| Value::number(clip(ms.floor())))),
    leaf("isDate", |vm, a| Ok(Value::boolean(vm.heap.is_kind(a.get(vm, 0), Kind::Date)))),
    leaf("newDate", |vm, a| {
        let proto = vm.object_cell(a.get(vm, 0))?;
        let shape = vm.heap.root_shape(proto, Kind::Date, 0)?;
        let object = vm.heap.object(Kind::Date, shape)?;
        let time = a.get(vm, 1);
        vm.heap.set_value(object + 16, time);
        Ok(Value::object(object))
    }),
    leaf("dateValue", |vm, a| Ok(vm.heap.value(a.get(vm, 0).payload() + 16))),
    leaf("setDateValue", |vm, a| {
        let time = a.get(vm, 1);
        vm.heap.set_value(a.get(vm, 0).payload() + 16, time);
        Ok(time)
    }),
    leaf("timeClip", |vm, a| Ok(Value::number(clip(number(vm, a, 0))))),
    leaf("dateFrom", |vm, a| {
        // (year, month, day, hours, minutes, seconds, milliseconds): not clipped; absent parts are the first.
        let part = |i: u32, missing: f64| if i < a.count { number(vm, a, i) } else { missing };
        let mut year = part(0, f64::NAN);
        if (0.0..=99.0).contains(&year.trunc()) {
            year = 1900.0 + year.trunc();
        }
        let day = make_day(year, part(1, 0.0), part(2, 1.0));
        Ok(Value::number(make_date(day, make_time(part(3, 0.0), part(4, 0.0), part(5, 0.0), part(6, 0.0)))))
    }),
    leaf("datePart", |vm, a| {
        // (time, part): 0 year, 1 month, 2 day, 3 hours, 4 minutes, 5 seconds, 6 milliseconds, 7 day of the week
        let time = number(vm, a, 0);
        if time.is_nan() {
            return Ok(Value::NAN);
        }
        let which = a.get(vm, 1).as_int().unwrap_or(0) as usize;
        Ok(Value::number(if which == 7 { weekday(time) as f64 } else { parts(time)[which.min(6)] }))
    }),
    leaf("zone", |vm, a| {
        let time = number(vm, a, 0);
        Ok(Value::number(f64::from(vm.zone(time)?) * 60_000.0))
    }),
    leaf("dateWith", |vm, a| {
        // (time, first part, list of parts): not clipped.
        let mut all = parts(number(vm, a, 0));
        let first = a.get(vm, 1).as_int().unwrap_or(0) as usize;
        let list = a.get(vm, 2).payload();
        for i in 0..vm.heap.array_length(list).min(7) {
            if let Some(part) = all.get_mut(first + i as usize) {
                *part = vm.heap.dense(list, i).as_number().unwrap_or(f64::NAN);
            }
        }
        let [year, month, day, hours, minutes, seconds, ms] = all;
        Ok(Value::number(make_date(make_day(year, month, day), make_time(hours, minutes, seconds, ms))))
    }),
    leaf("dateText", |vm, a| {
        // (time as the clock shows it, style, how far the clock is ahead of UTC in milliseconds)
        let offset = if a.count > 2 { (number(vm, a, 2) / 60_000.0) as i32 } else { 0 };
        let text = text(number(vm, a, 0), a.get(vm, 1).as_int().unwrap_or(0), offset);
        vm.heap.string(&text).map(Value::string)
    }),
    leaf("dateParse", |vm, a| {
        let string = a.get(vm, 0).payload();
        if vm.heap.string_length(string) > 256 {
            return Ok(Value::NAN);
        }
        let text = vm.heap.text(string)?;
        Ok(Value::number(parse(&text).map_or(f64::NAN, |(time, _)| clip(time))))
    }),
    leaf("dateIsLocal", |vm, a| {
        let string = a.get(vm, 0).payload();
        if vm.host.zone == Zone::Utc || vm.heap.string_length(string) > 256 {
            return Ok(Value::FALSE);
        }
        let text = vm.heap.text(string)?;
        Ok(Value::boolean(parse(&text).is_some_and(|(_, local)| local)))
    }),
];

fn number(vm: &Vm<'_>, a: Arguments, i: u32) -> f64 {
    a.get(vm, i).as_number().unwrap_or(f64::NAN)
}

/// TimeClip.
fn clip(time: f64) -> f64 {
    if time.abs() <= 8.64e15 { time.trunc() + 0.0 } else { f64::NAN }
}

/// Days since 1970 of a day of the civil calendar; months may be any whole number.
fn days(year: i64, month: i64, day: i64) -> i64 {
    let (year, month) = (year + month.div_euclid(12), month.rem_euclid(12));
    // Years from March, so that a leap day ends one.
    let shifted = if month < 2 { year - 1 } else { year };
    let era = shifted.div_euclid(400);
    let of_era = shifted.rem_euclid(400);
    let of_year = (153 * ((month + 10) % 12) + 2) / 5 + day - 1;
    era * 146_097 + of_era * 365 + of_era / 4 - of_era / 100 + of_year - 719_468
}

/// Year, month (from 0), day of a number of days since 1970.
fn civil(days: i64) -> (i64, i64, i64) {
    let shifted = days + 719_468;
    let era = shifted.div_euclid(146_097);
    let of_era = shifted.rem_euclid(146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let day = of_year - (153 * month + 2) / 5 + 1;
    let month = (month + 2) % 12;
    (year + era * 400 + i64::from(month < 2), month, day)
}

/// MakeDay.
fn make_day(year: f64, month: f64, day: f64) -> f64 {
    if !(year.is_finite() && month.is_finite() && day.is_finite()) {
        return f64::NAN;
    }
    let (year, month, day) = (year.trunc(), month.trunc(), day.trunc());
    let years = year + (month / 12.0).floor();
    if years.abs() > 400_000.0 {
        return f64::NAN;
    }
    days(years as i64, (month - (month / 12.0).floor() * 12.0) as i64, 1) as f64 + day - 1.0
}

/// MakeTime.
fn make_time(hours: f64, minutes: f64, seconds: f64, ms: f64) -> f64 {
    if !(hours.is_finite() && minutes.is_finite() && seconds.is_finite() && ms.is_finite()) {
        return f64::NAN;
    }
    hours.trunc() * 3_600_000.0 + minutes.trunc() * 60_000.0 + seconds.trunc() * 1000.0 + ms.trunc()
}

/// MakeDate.
fn make_date(day: f64, time: f64) -> f64 {
    let time = day * DAY + time;
    if time.is_finite() { time } else { f64::NAN }
}

fn weekday(time: f64) -> usize {
    ((time / DAY).floor() as i64 + 4).rem_euclid(7) as usize
}

/// Year, month, day, hours, minutes, seconds, milliseconds of a finite time.
fn parts(time: f64) -> [f64; 7] {
    let day = (time / DAY).floor();
    let rest = (time - day * DAY) as i64;
    let (year, month, date) = civil(day as i64);
    [year, month, date, rest / 3_600_000, rest / 60_000 % 60, rest / 1000 % 60, rest % 1000].map(|part| part as f64)
}

/// 0 ISO, 1 toString, 2 toDateString, 3 toTimeString, 4 toUTCString, 5 to 7 toLocaleString, -DateString, -TimeString (en-US).
/// `offset`: minutes by which the time is ahead of UTC.
pub(crate) fn text(time: f64, style: i32, offset: i32) -> String {
    if time.is_nan() {
        return "Invalid Date".into();
    }
    let zone = || {
        let (sign, hours, minutes) = (if offset < 0 { '-' } else { '+' }, offset.abs() / 60, offset.abs() % 60);
        let name = if offset == 0 { "Coordinated Universal Time".to_owned() } else { format!("GMT{sign}{hours:02}:{minutes:02}") };
        format!("GMT{sign}{hours:02}{minutes:02} ({name})")
    };
    let [year, month, date, hours, minutes, seconds, ms] = parts(time).map(|part| part as i64);
    let day = DAYS[weekday(time)];
    let name = MONTHS[month as usize % 12];
    let sign = if year < 0 { "-" } else { "" };
    let absolute = year.abs();
    let clock = format!("{hours:02}:{minutes:02}:{seconds:02}");
    let half = if hours < 12 { "AM" } else { "PM" };
    let twelve = (hours + 11) % 12 + 1;
    match style {
        0 if (0..=9999).contains(&year) => format!("{year:04}-{:02}-{date:02}T{clock}.{ms:03}Z", month + 1),
        0 => format!("{}{absolute:06}-{:02}-{date:02}T{clock}.{ms:03}Z", if year < 0 { '-' } else { '+' }, month + 1),
        1 => format!("{day} {name} {date:02} {sign}{absolute:04} {clock} {}", zone()),
        2 => format!("{day} {name} {date:02} {sign}{absolute:04}"),
        3 => format!("{clock} {}", zone()),
        4 => format!("{day}, {date:02} {name} {sign}{absolute:04} {clock} GMT"),
        5 => format!("{}/{date}/{year}, {twelve}:{minutes:02}:{seconds:02} {half}", month + 1),
        6 => format!("{}/{date}/{year}", month + 1),
        _ => format!("{twelve}:{minutes:02}:{seconds:02} {half}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn texts_are_read_back() {
        for time in [0.0, 951_782_400_000.0, -62_198_755_200_000.0, 8.64e15, -8.64e15, 1_234_567_890_000.0] {
            for style in [0, 1, 4] {
                assert_eq!(parse(&text(time, style, 0)), Some((time, false)), "{}", text(time, style, 0));
            }
        }
    }

    #[test]
    fn civil_days_are_inverse() {
        for day in (-1_000_000..1_000_000).step_by(997) {
            let (year, month, date) = civil(day);
            assert_eq!(days(year, month, date), day);
        }
    }
}
