//! The words for a unit in UCUM's spelling at the end of a Prometheus name: `By/s` is
//! `bytes_per_second` (OpenTelemetry specification, "Prometheus and OpenMetrics Compatibility").

use std::borrow::Cow;

/// The words of a unit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct UnitWord {
    /// All of it: `bytes_per_second`, `per_second`, `seconds`.
    whole: Cow<'static, str>,
    /// How many of its bytes come before the first `_per_`; 0 if it begins with `per_`.
    amount: usize,
}

impl UnitWord {
    /// The words of the unit `ucum`; `None` if it is empty, `1`, or an annotation in braces. An unknown
    /// unit is its own word, with `_` for characters that a name cannot have.
    pub(crate) fn of(ucum: &str) -> Option<Self> {
        let ucum = without_annotations(ucum);
        let mut factors = ucum.split('/');
        let amount = factors.next().and_then(|amount| word(amount, Form::Plural));
        let mut whole = amount.unwrap_or_default();
        let amount = whole.len();
        for per in factors.filter_map(|per| word(per, Form::Singular)) {
            let joint = if whole.is_empty() { "per_" } else { "_per_" };
            let longer = whole.to_mut();
            longer.push_str(joint);
            longer.push_str(&per);
        }
        (!whole.is_empty()).then_some(Self { whole, amount })
    }

    /// The word of a ratio.
    pub(crate) const RATIO: Self = Self { whole: Cow::Borrowed("ratio"), amount: "ratio".len() };

    /// All words, joined by `_`.
    pub(crate) fn as_str(&self) -> &str {
        &self.whole
    }

    /// What `name` lacks of the unit at its end: nothing if it ends in the unit, only `per_second` if
    /// it ends in `bytes` already. A word of the name ends at `_` or a dot.
    pub(crate) fn lacking_in(&self, name: &str) -> &str {
        let (amount, per) = self.whole.split_at(self.amount);
        if ends_in_word(name, self.as_str()) {
            ""
        } else if !amount.is_empty() && ends_in_word(name, amount) {
            per.strip_prefix('_').unwrap_or(per)
        } else {
            self.as_str()
        }
    }
}

/// The runs of ASCII letters and digits in `text`, joined by `_`.
pub(super) fn joined_words(text: &str) -> String {
    let mut joined = String::with_capacity(text.len());
    let words = text.split(|c: char| !c.is_ascii_alphanumeric()).filter(|word| !word.is_empty());
    for word in words {
        if !joined.is_empty() {
            joined.push('_');
        }
        joined.push_str(word);
    }
    joined
}

fn ends_in_word(name: &str, word: &str) -> bool {
    name.strip_suffix(word).is_some_and(|rest| rest.is_empty() || rest.ends_with(['_', '.']))
}

/// The unit without the annotations in braces, which only say what is counted.
fn without_annotations(ucum: &str) -> String {
    let mut depth = 0_usize;
    let outside = |c: &char| {
        let is_outside = depth == 0 && !matches!(c, '{' | '}');
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        is_outside
    };
    ucum.chars().filter(outside).collect()
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Form {
    Singular,
    Plural,
}

/// The word for one factor of a unit.
fn word(symbol: &str, form: Form) -> Option<Cow<'static, str>> {
    let symbol = symbol.trim();
    if matches!(symbol, "" | "1") {
        return None;
    }
    let pick = |names: (&'static str, &'static str)| match form {
        Form::Singular => names.0,
        Form::Plural => names.1,
    };
    let find = |table: &[(&str, &'static str, &'static str)], symbol: &str| {
        let found = table.iter().find(|(own, ..)| *own == symbol);
        found.map(|&(_, singular, plural)| pick((singular, plural)))
    };
    if let Some(word) = find(WITHOUT_PREFIX, symbol).or_else(|| find(WITH_PREFIX, symbol)) {
        return Some(Cow::Borrowed(word));
    }
    for (prefix, name) in PREFIXES {
        if let Some(rest) = symbol.strip_prefix(prefix)
            && let Some(word) = find(WITH_PREFIX, rest)
        {
            return Some(Cow::Owned(format!("{name}{word}")));
        }
    }
    for (prefix, name) in BINARY_PREFIXES {
        if let Some(rest) = symbol.strip_prefix(prefix)
            && matches!(rest, "By" | "bit")
            && let Some(word) = find(WITH_PREFIX, rest)
        {
            return Some(Cow::Owned(format!("{name}{word}")));
        }
    }
    let own = joined_words(symbol);
    (!own.is_empty()).then_some(Cow::Owned(own))
}

/// Symbols that take no prefix: the symbol, its singular, its plural.
const WITHOUT_PREFIX: &[(&str, &str, &str)] = &[
    ("min", "minute", "minutes"),
    ("h", "hour", "hours"),
    ("d", "day", "days"),
    ("wk", "week", "weeks"),
    ("w", "week", "weeks"), // Not in UCUM; the translators of Prometheus and the Collector accept it.
    ("mo", "month", "months"),
    ("a", "year", "years"),
    ("y", "year", "years"), // As `w`.
    ("%", "percent", "percent"),
    ("deg", "degree", "degrees"),
    ("[degF]", "fahrenheit", "fahrenheit"),
    ("cd", "candela", "candelas"),
];

/// Symbols that may have a prefix.
const WITH_PREFIX: &[(&str, &str, &str)] = &[
    ("s", "second", "seconds"),
    ("By", "byte", "bytes"),
    ("bit", "bit", "bits"),
    ("Hz", "hertz", "hertz"),
    ("m", "meter", "meters"),
    ("g", "gram", "grams"),
    ("L", "liter", "liters"),
    ("l", "liter", "liters"),
    ("W", "watt", "watts"),
    ("J", "joule", "joules"),
    ("V", "volt", "volts"),
    ("A", "ampere", "amperes"),
    ("Ohm", "ohm", "ohms"),
    ("N", "newton", "newtons"),
    ("Pa", "pascal", "pascals"),
    ("bar", "bar", "bars"),
    ("K", "kelvin", "kelvin"),
    ("Cel", "celsius", "celsius"),
    ("mol", "mole", "moles"),
    ("lm", "lumen", "lumens"),
    ("lx", "lux", "lux"),
    ("eV", "electronvolt", "electronvolts"),
];

const PREFIXES: &[(&str, &str)] = &[
    ("da", "deca"), // Before `d`.
    ("y", "yocto"),
    ("z", "zepto"),
    ("a", "atto"),
    ("f", "femto"),
    ("p", "pico"),
    ("n", "nano"),
    ("u", "micro"),
    ("m", "milli"),
    ("c", "centi"),
    ("d", "deci"),
    ("h", "hecto"),
    ("k", "kilo"),
    ("K", "kilo"), // Not in UCUM; the translators accept `KBy`.
    ("M", "mega"),
    ("G", "giga"),
    ("T", "tera"),
    ("P", "peta"),
    ("E", "exa"),
    ("Z", "zetta"),
    ("Y", "yotta"),
];

/// For bytes and bits only.
const BINARY_PREFIXES: &[(&str, &str)] = &[
    ("Ki", "kibi"),
    ("Mi", "mebi"),
    ("Gi", "gibi"),
    ("Ti", "tebi"),
    ("Pi", "pebi"),
    ("Ei", "exbi"),
    ("Zi", "zebi"),
    ("Yi", "yobi"),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn words(ucum: &str) -> String {
        UnitWord::of(ucum).map(|word| word.as_str().to_owned()).unwrap_or_default()
    }

    #[test]
    fn units_have_the_words_of_the_specification_and_of_the_translators() {
        for (ucum, expected) in [
            ("d", "days"),
            ("h", "hours"),
            ("min", "minutes"),
            ("s", "seconds"),
            ("ms", "milliseconds"),
            ("us", "microseconds"),
            ("ns", "nanoseconds"),
            ("By", "bytes"),
            ("KiBy", "kibibytes"),
            ("MiBy", "mebibytes"),
            ("GiBy", "gibibytes"),
            ("TiBy", "tebibytes"),
            ("KBy", "kilobytes"),
            ("kBy", "kilobytes"),
            ("MBy", "megabytes"),
            ("GBy", "gigabytes"),
            ("TBy", "terabytes"),
            ("m", "meters"),
            ("V", "volts"),
            ("A", "amperes"),
            ("J", "joules"),
            ("W", "watts"),
            ("g", "grams"),
            ("Cel", "celsius"),
            ("Hz", "hertz"),
            ("%", "percent"),
            ("1", ""),
            ("", ""),
        ] {
            assert_eq!(words(ucum), expected, "{ucum}");
        }
    }

    #[test]
    fn a_rate_is_per_one_of_what_stands_below() {
        for (ucum, expected) in [
            ("By/s", "bytes_per_second"),
            ("{request}/s", "per_second"),
            ("1/s", "per_second"),
            ("/s", "per_second"),
            ("m/s", "meters_per_second"),
            ("m/s/s", "meters_per_second_per_second"),
            ("{fault}/min", "per_minute"),
            ("By/h", "bytes_per_hour"),
            ("By/d", "bytes_per_day"),
            ("By/w", "bytes_per_week"),
            ("By/mo", "bytes_per_month"),
            ("By/y", "bytes_per_year"),
            ("km/h", "kilometers_per_hour"),
            ("{turn}/m", "per_meter"),
            ("J/kg", "joules_per_kilogram"),
            ("KiBy/ms", "kibibytes_per_millisecond"),
            ("By/{custom}", "bytes"),
            ("By / s", "bytes_per_second"),
            ("{a}/{b}", ""),
            ("1/1", ""),
            ("/", ""),
            ("By/", "bytes"),
        ] {
            assert_eq!(words(ucum), expected, "{ucum}");
        }
    }

    #[test]
    fn annotations_are_dropped_wherever_they_stand() {
        for (ucum, expected) in [
            ("{packet}", ""),
            ("By{sent}", "bytes"),
            ("{a{b}c}s", "seconds"),
            ("s}", "seconds"),
            ("{s", ""),
            ("1{x}/s", "per_second"),
        ] {
            assert_eq!(words(ucum), expected, "{ucum}");
        }
    }

    #[test]
    fn a_unit_without_a_word_stands_for_itself_as_far_as_a_name_can_hold_it() {
        for (ucum, expected) in [
            ("pages", "pages"),
            ("custom_unit", "custom_unit"),
            ("unit__multiple__underscores", "unit_multiple_underscores"),
            ("unit@with#special/chars", "unit_with_special_per_chars"),
            ("kW.h", "kW_h"),
            ("m2", "m2"),
            ("10*3", "10_3"),
            ("°F", "F"),
            ("\n", ""),
            ("é", ""),
            ("T", "T"),
            ("kmin", "kmin"),
            ("Kis", "Kis"),
        ] {
            assert_eq!(words(ucum), expected, "{ucum}");
        }
    }

    #[test]
    fn every_prefix_stands_before_every_unit_that_takes_one() {
        let decimal =
            PREFIXES.iter().flat_map(|prefix| WITH_PREFIX.iter().map(move |u| (prefix, u)));
        let bytes = WITH_PREFIX.iter().filter(|(symbol, ..)| matches!(*symbol, "By" | "bit"));
        let binary =
            BINARY_PREFIXES.iter().flat_map(|prefix| bytes.clone().map(move |u| (prefix, u)));
        let mut n_multiples = 0;
        for ((prefix, name), (symbol, one, many)) in decimal.chain(binary) {
            let multiple = format!("{prefix}{symbol}");
            // Spelt as another unit: `min`, `cd` and their like are read as such.
            if WITHOUT_PREFIX.iter().chain(WITH_PREFIX).any(|(other, ..)| *other == multiple) {
                continue;
            }
            assert_eq!(words(&multiple), format!("{name}{many}"), "{multiple}");
            assert_eq!(words(&format!("1/{multiple}")), format!("per_{name}{one}"), "{multiple}");
            n_multiples += 1;
        }
        assert_eq!(n_multiples, 21 * 22 + 8 * 2);
    }

    #[test]
    fn a_name_is_given_what_it_lacks_of_its_unit() {
        let rate = UnitWord::of("By/s").expect("words");
        assert_eq!(rate.lacking_in("sent"), "bytes_per_second");
        assert_eq!(rate.lacking_in("sent.bytes"), "per_second");
        assert_eq!(rate.lacking_in("sent_bytes_per_second"), "");
        assert_eq!(rate.lacking_in("kilobytes"), "bytes_per_second");
        let per = UnitWord::of("{request}/s").expect("words");
        assert_eq!(per.lacking_in("requests"), "per_second");
        assert_eq!(per.lacking_in("requests_per_second"), "");
        let plain = UnitWord::of("s").expect("words");
        assert_eq!(plain.lacking_in("seconds"), "");
        assert_eq!(plain.lacking_in("seconds.before"), "seconds");
    }
}
