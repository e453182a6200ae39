//! The units that can be converted, each as an exact fraction of its kind's base.

use schemars::JsonSchema;
use serde::Serialize;

use super::ratio::Ratio;

/// What a unit measures; units of one kind convert into each other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub(super) enum Kind {
    Length,
    Mass,
    Temperature,
    Volume,
    Speed,
    Area,
    Data,
    Time,
}

impl Kind {
    pub(super) const ALL: [Self; 8] = [
        Self::Length,
        Self::Mass,
        Self::Temperature,
        Self::Volume,
        Self::Speed,
        Self::Area,
        Self::Data,
        Self::Time,
    ];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Length => "length",
            Self::Mass => "mass",
            Self::Temperature => "temperature",
            Self::Volume => "volume",
            Self::Speed => "speed",
            Self::Area => "area",
            Self::Data => "data",
            Self::Time => "time",
        }
    }
}

/// A unit: `base = (value + offset) * factor`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unit {
    pub(super) kind: Kind,
    pub(super) name: &'static str,
    pub(super) symbol: &'static str,
    pub(super) aliases: &'static [&'static str],
    pub(super) factor: Ratio,
    pub(super) offset: Ratio,
}

const fn unit(
    kind: Kind,
    name: &'static str,
    symbol: &'static str,
    aliases: &'static [&'static str],
    (numerator, denominator): (i128, i128),
) -> Unit {
    let factor = Ratio::new(numerator, denominator);
    Unit { kind, name, symbol, aliases, factor, offset: Ratio::ZERO }
}

const fn degree(
    name: &'static str,
    symbol: &'static str,
    aliases: &'static [&'static str],
    factor: (i128, i128),
    offset: (i128, i128),
) -> Unit {
    let unit = unit(Kind::Temperature, name, symbol, aliases, factor);
    Unit { offset: Ratio::new(offset.0, offset.1), ..unit }
}

use Kind::{Area, Data, Length, Mass, Speed, Time, Volume};

/// Every unit. Names take a plural "s", are found in any case, and `metre`, `litre` work too;
/// customary volumes are those of the United States unless they say imperial; months and years
/// are means of the Gregorian calendar.
#[rustfmt::skip]
pub(super) static UNITS: &[Unit] = &[
    unit(Length, "meter", "m", &["metre"], (1, 1)),
    unit(Length, "nanometer", "nm", &["nanometre"], (1, 1_000_000_000)),
    unit(Length, "micrometer", "µm", &["um", "μm", "micron", "micrometre"], (1, 1_000_000)),
    unit(Length, "millimeter", "mm", &["millimetre"], (1, 1_000)),
    unit(Length, "centimeter", "cm", &["centimetre"], (1, 100)),
    unit(Length, "kilometer", "km", &["kilometre"], (1_000, 1)),
    unit(Length, "inch", "in", &["inches", "\""], (127, 5_000)),
    unit(Length, "foot", "ft", &["feet", "'"], (381, 1_250)),
    unit(Length, "yard", "yd", &[], (1_143, 1_250)),
    unit(Length, "mile", "mi", &[], (201_168, 125)),
    unit(Length, "nautical mile", "nmi", &["nautical_mile"], (1_852, 1)),
    unit(Length, "astronomical unit", "au", &["astronomical_unit"], (149_597_870_700, 1)),
    unit(Length, "light year", "ly", &["light_year", "lightyear"], (9_460_730_472_580_800, 1)),

    unit(Mass, "gram", "g", &["gramme"], (1, 1)),
    unit(Mass, "microgram", "µg", &["ug", "μg", "mcg"], (1, 1_000_000)),
    unit(Mass, "milligram", "mg", &[], (1, 1_000)),
    unit(Mass, "kilogram", "kg", &["kilo"], (1_000, 1)),
    unit(Mass, "tonne", "t", &["metric ton", "metric_ton"], (1_000_000, 1)),
    unit(Mass, "carat", "ct", &[], (1, 5)),
    unit(Mass, "ounce", "oz", &[], (28_349_523_125, 1_000_000_000)),
    unit(Mass, "pound", "lb", &["lbs"], (45_359_237, 100_000)),
    unit(Mass, "stone", "st", &[], (635_029_318, 100_000)),
    unit(Mass, "short ton", "ton", &["short_ton", "us ton"], (90_718_474, 100)),
    unit(Mass, "long ton", "lt", &["long_ton", "imperial ton"], (10_160_469_088, 10_000)),

    degree("kelvin", "K", &[], (1, 1), (0, 1)),
    degree("celsius", "°C", &["C", "degC", "centigrade"], (1, 1), (5_463, 20)),
    degree("fahrenheit", "°F", &["F", "degF"], (5, 9), (45_967, 100)),
    degree("rankine", "°R", &["R", "degR"], (5, 9), (0, 1)),

    unit(Volume, "liter", "L", &["l", "litre"], (1, 1)),
    unit(Volume, "milliliter", "mL", &["ml", "millilitre"], (1, 1_000)),
    unit(Volume, "centiliter", "cL", &["cl", "centilitre"], (1, 100)),
    unit(Volume, "deciliter", "dL", &["dl", "decilitre"], (1, 10)),
    unit(Volume, "cubic meter", "m³", &["m3", "cubic_meter", "cubic metre"], (1_000, 1)),
    unit(Volume, "cubic centimeter", "cm³", &["cm3", "cc", "cubic_centimeter"], (1, 1_000)),
    unit(Volume, "cubic foot", "ft³", &["ft3", "cubic_foot", "cubic feet"],
        (28_316_846_592, 1_000_000_000)),
    unit(Volume, "cubic inch", "in³", &["in3", "cubic_inch", "cubic inches"],
        (16_387_064, 1_000_000_000)),
    unit(Volume, "gallon", "gal", &["us gallon"], (3_785_411_784, 1_000_000_000)),
    unit(Volume, "quart", "qt", &[], (946_352_946, 1_000_000_000)),
    unit(Volume, "pint", "pt", &[], (473_176_473, 1_000_000_000)),
    unit(Volume, "cup", "cup", &[], (2_365_882_365, 10_000_000_000)),
    unit(Volume, "fluid ounce", "fl oz", &["floz", "fluid_ounce"],
        (295_735_295_625, 10_000_000_000_000)),
    unit(Volume, "tablespoon", "tbsp", &[], (1_478_676_478_125, 100_000_000_000_000)),
    unit(Volume, "teaspoon", "tsp", &[], (492_892_159_375, 100_000_000_000_000)),
    unit(Volume, "imperial gallon", "imp gal", &["imperial_gallon"], (454_609, 100_000)),
    unit(Volume, "imperial pint", "imp pt", &["imperial_pint"], (56_826_125, 100_000_000)),

    unit(Speed, "meter per second", "m/s", &["mps", "meter_per_second", "meters per second"],
        (1, 1)),
    unit(Speed, "kilometer per hour", "km/h",
        &["kph", "kmh", "kilometer_per_hour", "kilometers per hour"], (5, 18)),
    unit(Speed, "mile per hour", "mph", &["mi/h", "mile_per_hour", "miles per hour"],
        (1_397, 3_125)),
    unit(Speed, "foot per second", "ft/s", &["fps", "foot_per_second", "feet per second"],
        (381, 1_250)),
    unit(Speed, "knot", "kn", &["kt"], (463, 900)),

    unit(Area, "square meter", "m²", &["m2", "sqm", "square_meter", "square metre"], (1, 1)),
    unit(Area, "square millimeter", "mm²", &["mm2", "square_millimeter"], (1, 1_000_000)),
    unit(Area, "square centimeter", "cm²", &["cm2", "square_centimeter"], (1, 10_000)),
    unit(Area, "square kilometer", "km²", &["km2", "square_kilometer"], (1_000_000, 1)),
    unit(Area, "hectare", "ha", &[], (10_000, 1)),
    unit(Area, "square inch", "in²", &["in2", "sqin", "square_inch", "square inches"],
        (64_516, 100_000_000)),
    unit(Area, "square foot", "ft²", &["ft2", "sqft", "square_foot", "square feet"],
        (9_290_304, 100_000_000)),
    unit(Area, "square yard", "yd²", &["yd2", "square_yard"], (83_612_736, 100_000_000)),
    unit(Area, "square mile", "mi²", &["mi2", "square_mile"], (2_589_988_110_336, 1_000_000)),
    unit(Area, "acre", "ac", &[], (40_468_564_224, 10_000_000)),

    unit(Data, "bit", "b", &[], (1, 1)),
    unit(Data, "kilobit", "kb", &["kbit"], (1_000, 1)),
    unit(Data, "megabit", "Mb", &["Mbit"], (1_000_000, 1)),
    unit(Data, "gigabit", "Gb", &["Gbit"], (1_000_000_000, 1)),
    unit(Data, "byte", "B", &[], (8, 1)),
    unit(Data, "kilobyte", "kB", &[], (8_000, 1)),
    unit(Data, "megabyte", "MB", &[], (8_000_000, 1)),
    unit(Data, "gigabyte", "GB", &[], (8_000_000_000, 1)),
    unit(Data, "terabyte", "TB", &[], (8_000_000_000_000, 1)),
    unit(Data, "petabyte", "PB", &[], (8_000_000_000_000_000, 1)),
    unit(Data, "kibibyte", "KiB", &[], (8 << 10, 1)),
    unit(Data, "mebibyte", "MiB", &[], (8 << 20, 1)),
    unit(Data, "gibibyte", "GiB", &[], (8 << 30, 1)),
    unit(Data, "tebibyte", "TiB", &[], (8 << 40, 1)),
    unit(Data, "pebibyte", "PiB", &[], (8 << 50, 1)),

    unit(Time, "second", "s", &["sec"], (1, 1)),
    unit(Time, "nanosecond", "ns", &[], (1, 1_000_000_000)),
    unit(Time, "microsecond", "µs", &["us", "μs"], (1, 1_000_000)),
    unit(Time, "millisecond", "ms", &["msec"], (1, 1_000)),
    unit(Time, "minute", "min", &[], (60, 1)),
    unit(Time, "hour", "h", &["hr"], (3_600, 1)),
    unit(Time, "day", "d", &[], (86_400, 1)),
    unit(Time, "week", "wk", &[], (604_800, 1)),
    unit(Time, "month", "mo", &[], (2_629_746, 1)),
    unit(Time, "year", "yr", &["a"], (31_556_952, 1)),
];
