//! Durations and sizes as people write them: `"500ms"`, `"60s"`, `"16MiB"`.

use std::time::Duration;

/// Longest text that is looked at; nothing that can be meant is longer.
const TEXT_BYTES_MAX: usize = 32;

/// Digits after a decimal point that a guess takes into account.
const FRACTION_DIGITS_MAX: usize = 6;

/// A family of units, and what people write when they mean one of them.
pub(super) struct Scale {
    /// Each unit in base units, smallest first.
    units: &'static [(&'static str, u64)],
    /// Other spellings, only used to guess what was meant.
    spellings: &'static [(&'static [&'static str], u64)],
    /// What a number without a unit probably means, in base units.
    bare: u64,
}

/// Why a text is not a quantity.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum NotRead {
    /// It has another form; with what was probably meant.
    Form(Option<String>),
    /// It is a quantity beyond what can be counted.
    TooLarge,
}

/// Milliseconds.
pub(super) const TIME: Scale = Scale {
    units: &[("ms", 1), ("s", 1000), ("m", MINUTE), ("h", HOUR), ("d", DAY)],
    spellings: &[
        (&["ms", "msec", "msecs", "millis", "millisecond", "milliseconds"], 1),
        (&["s", "sec", "secs", "second", "seconds"], 1000),
        (&["m", "min", "mins", "minute", "minutes"], MINUTE),
        (&["h", "hr", "hrs", "hour", "hours"], HOUR),
        (&["d", "day", "days"], DAY),
        (&["w", "week", "weeks"], 7 * DAY),
    ],
    bare: 1000,
};

/// Bytes.
pub(super) const SIZE: Scale = Scale {
    units: &[("B", 1), ("KiB", 1 << 10), ("MiB", 1 << 20), ("GiB", 1 << 30)],
    spellings: &[
        (&["b", "byte", "bytes"], 1),
        (&["k", "kb", "kib"], 1 << 10),
        (&["m", "mb", "mib"], 1 << 20),
        (&["g", "gb", "gib"], 1 << 30),
    ],
    bare: 1,
};

const MINUTE: u64 = 60 * 1000;
const HOUR: u64 = 60 * MINUTE;
const DAY: u64 = 24 * HOUR;

impl Scale {
    /// Reads digits and one unit, nothing between them; the answer is in base units.
    pub(super) fn read(&self, text: &str) -> Result<u64, NotRead> {
        let form = || NotRead::Form(self.guess(text));
        let digits = text.bytes().take_while(u8::is_ascii_digit).count();
        let (number, unit) = text.split_at_checked(digits).ok_or_else(form)?;
        let (_, size) = self.units.iter().find(|(name, _)| *name == unit).ok_or_else(form)?;
        if number.is_empty() {
            return Err(form());
        }
        let number: u64 = number.parse().map_err(|_| NotRead::TooLarge)?;
        number.checked_mul(*size).ok_or(NotRead::TooLarge)
    }

    /// Writes a quantity in the largest unit that divides it.
    pub(super) fn write(&self, amount: u64) -> String {
        let whole = |(_, size): &&(&str, u64)| amount.is_multiple_of(*size) && amount >= *size;
        match self.units.iter().rev().find(whole) {
            Some((name, size)) => format!("{}{name}", amount / size),
            None => format!("{amount}{}", self.plain()),
        }
    }

    /// What a number without a unit was probably meant to say.
    pub(super) fn write_bare(&self, number: u64) -> Option<String> {
        Some(format!("{number}{}", self.plain()))
    }

    /// The unit in which nothing is written; `0s` reads better than `0ms`.
    fn plain(&self) -> &'static str {
        let unit = self.units.iter().find(|(_, size)| *size == self.bare);
        unit.map_or("", |(name, _)| name)
    }

    /// What was meant by `1h30m`, `1.5s`, `60 sec`, `90`, if anything can be seen in it.
    fn guess(&self, text: &str) -> Option<String> {
        if text.len() > TEXT_BYTES_MAX {
            return None;
        }
        let mut rest = text.trim();
        let mut parts = Vec::new();
        while !rest.is_empty() {
            let (number, after) = split_while(rest, |c| c.is_ascii_digit() || c == '.');
            if number.is_empty() {
                return None;
            }
            let (word, after) = split_while(after.trim_start(), char::is_alphabetic);
            parts.push((number, self.unit(&word.to_lowercase())?));
            rest = after.trim_start();
        }
        // One number with one unit keeps them: `60 sec` is `60s`, not `1m`.
        if let [(number, size)] = parts.as_slice()
            && let Some((unit, _)) = self.units.iter().find(|(_, unit)| unit == size)
            && let Ok(number) = number.parse::<u64>()
        {
            return Some(format!("{number}{unit}"));
        }
        let mut total = None;
        for (number, size) in parts {
            total = Some(times(number, size)?.checked_add(total.unwrap_or(0))?);
        }
        Some(self.write(total?))
    }

    /// A unit that people mean by a word, in base units.
    fn unit(&self, word: &str) -> Option<u64> {
        match word {
            "" => Some(self.bare),
            word => {
                self.spellings.iter().find(|(names, _)| names.contains(&word)).map(|found| found.1)
            }
        }
    }
}

/// A duration of `TIME`'s base units.
pub(super) fn duration(milliseconds: u64) -> Duration {
    Duration::from_millis(milliseconds)
}

fn split_while(text: &str, wanted: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !wanted(c)).unwrap_or(text.len());
    text.split_at(end)
}

/// A decimal number times a unit; `None` when it is no number.
fn times(number: &str, unit: u64) -> Option<u64> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
    if fraction.len() > FRACTION_DIGITS_MAX {
        return None;
    }
    let parts = 10u64.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let whole = whole.parse::<u64>().ok()?.checked_mul(unit)?;
    let fraction = fraction.parse::<u64>().ok()?.checked_mul(unit)? / parts;
    whole.checked_add(fraction)
}
