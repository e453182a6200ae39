//! Exact fractions, so that 36.6 °C is 97.88 °F and not 97.88000000000001.

use std::cmp::Ordering;

/// Digits of a printed fraction: a few more than a double holds.
const DIGITS: usize = 20;

/// A fraction in lowest terms, the denominator positive.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Ratio {
    numerator: i128,
    denominator: i128,
}

impl Ratio {
    pub(super) const ZERO: Self = Self::new(0, 1);

    /// A fraction as written; `denominator` must be positive.
    pub(super) const fn new(numerator: i128, denominator: i128) -> Self {
        Self { numerator, denominator }
    }

    /// The decimal number that `value` is printed as; `None` beyond 36 digits.
    pub(super) fn of(value: f64) -> Option<Self> {
        let printed = format!("{value:e}");
        let (mantissa, exponent) = printed.split_once('e')?;
        let exponent: i32 = exponent.parse().ok()?;
        let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
        let digits: i128 = format!("{whole}{fraction}").parse().ok()?;
        let exponent = exponent - i32::try_from(fraction.len()).ok()?;
        let power = 10_i128.checked_pow(exponent.unsigned_abs())?;
        if exponent < 0 {
            Self::lowest(digits, power)
        } else {
            Self::lowest(digits.checked_mul(power)?, 1)
        }
    }

    pub(super) fn plus(self, other: Self) -> Option<Self> {
        let left = self.numerator.checked_mul(other.denominator)?;
        let right = other.numerator.checked_mul(self.denominator)?;
        Self::lowest(left.checked_add(right)?, self.denominator.checked_mul(other.denominator)?)
    }

    pub(super) fn minus(self, other: Self) -> Option<Self> {
        self.plus(Self::new(other.numerator.checked_neg()?, other.denominator))
    }

    pub(super) fn times(self, other: Self) -> Option<Self> {
        // Crosswise first: the products stay small.
        let one = Self::lowest(self.numerator, other.denominator)?;
        let two = Self::lowest(other.numerator, self.denominator)?;
        Some(Self::new(
            one.numerator.checked_mul(two.numerator)?,
            one.denominator.checked_mul(two.denominator)?,
        ))
    }

    /// `None` when `other` is zero.
    pub(super) fn over(self, other: Self) -> Option<Self> {
        match other.numerator.cmp(&0) {
            Ordering::Equal => None,
            Ordering::Greater => self.times(Self::new(other.denominator, other.numerator)),
            Ordering::Less => {
                let turned = other.numerator.checked_neg()?;
                self.times(Self::new(other.denominator.checked_neg()?, turned))
            }
        }
    }

    pub(super) fn is_negative(self) -> bool {
        self.numerator < 0
    }

    /// The nearest double; `None` when the digits do not fit on the way.
    pub(super) fn to_f64(self) -> Option<f64> {
        let sign = if self.is_negative() { "-" } else { "" };
        let numerator = self.numerator.checked_abs()?;
        let mut printed = format!("{sign}{}.", numerator / self.denominator);
        let mut rest = numerator % self.denominator;
        let mut significant = 0;
        while rest != 0 && significant < DIGITS {
            rest = rest.checked_mul(10)?;
            let digit = rest / self.denominator;
            rest %= self.denominator;
            significant += usize::from(significant > 0 || digit > 0);
            printed.push_str(&digit.to_string());
        }
        printed.push('0');
        printed.parse().ok()
    }

    fn lowest(numerator: i128, denominator: i128) -> Option<Self> {
        let (mut larger, mut smaller) = (numerator.checked_abs()?, denominator);
        while smaller != 0 {
            (larger, smaller) = (smaller, larger % smaller);
        }
        let divisor = larger.max(1);
        Some(Self::new(numerator / divisor, denominator / divisor))
    }
}

#[cfg(test)]
mod tests {
    use super::Ratio;
    use proptest::prelude::*;

    #[test]
    fn decimals_are_taken_as_printed() {
        assert_eq!(Ratio::of(36.6), Some(Ratio::new(183, 5)));
        assert_eq!(Ratio::of(-0.25), Some(Ratio::new(-1, 4)));
        assert_eq!(Ratio::of(1e300), None);
        assert_eq!(Ratio::new(1, 3).to_f64(), Some(1.0 / 3.0));
    }

    proptest! {
        #[test]
        fn a_number_comes_back_as_it_went(value in -1e15_f64..1e15) {
            prop_assume!(value == 0.0 || value.abs() > 1e-10);
            prop_assert_eq!(Ratio::of(value).and_then(Ratio::to_f64), Some(value));
        }

        #[test]
        fn adding_and_taking_away_is_nothing(left in -1e9_f64..1e9, right in -1e9_f64..1e9) {
            if let Some(left) = Ratio::of(left)
                && let Some(right) = Ratio::of(right)
                && let Some(back) = left.plus(right).and_then(|sum| sum.minus(right))
            {
                prop_assert_eq!(back, left);
            }
        }
    }
}
