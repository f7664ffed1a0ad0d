//! The facade's units in UCUM's spelling.

use ::metrics::Unit as Theirs;

use crate::metric::Unit;

pub(super) fn unit_of(unit: Theirs) -> Unit {
    Unit::new(match unit {
        Theirs::Count => "{count}",
        Theirs::Percent => "%",
        Theirs::Seconds => "s",
        Theirs::Milliseconds => "ms",
        Theirs::Microseconds => "us",
        Theirs::Nanoseconds => "ns",
        Theirs::Tebibytes => "TiBy",
        Theirs::Gibibytes => "GiBy",
        Theirs::Mebibytes => "MiBy",
        Theirs::Kibibytes => "KiBy",
        Theirs::Bytes => "By",
        Theirs::TerabitsPerSecond => "Tbit/s",
        Theirs::GigabitsPerSecond => "Gbit/s",
        Theirs::MegabitsPerSecond => "Mbit/s",
        Theirs::KilobitsPerSecond => "kbit/s",
        Theirs::BitsPerSecond => "bit/s",
        Theirs::CountPerSecond => "{count}/s",
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::metric::Registry;

    #[test]
    fn every_unit_of_the_facade_is_a_word_on_the_page() {
        for (unit, word) in [
            (Theirs::Count, ""),
            (Theirs::Percent, "_percent"),
            (Theirs::Seconds, "_seconds"),
            (Theirs::Milliseconds, "_milliseconds"),
            (Theirs::Microseconds, "_microseconds"),
            (Theirs::Nanoseconds, "_nanoseconds"),
            (Theirs::Tebibytes, "_tebibytes"),
            (Theirs::Gibibytes, "_gibibytes"),
            (Theirs::Mebibytes, "_mebibytes"),
            (Theirs::Kibibytes, "_kibibytes"),
            (Theirs::Bytes, "_bytes"),
            (Theirs::TerabitsPerSecond, "_terabits_per_second"),
            (Theirs::GigabitsPerSecond, "_gigabits_per_second"),
            (Theirs::MegabitsPerSecond, "_megabits_per_second"),
            (Theirs::KilobitsPerSecond, "_kilobits_per_second"),
            (Theirs::BitsPerSecond, "_bits_per_second"),
            (Theirs::CountPerSecond, "_per_second"),
        ] {
            let registry = Registry::new();
            registry.gauge("x", "").unit(unit_of(unit)).build().unwrap().set(1.0);
            let name = format!("x{word}");
            let taken = registry.gauge(&name, "").build();
            assert!(word.is_empty() || taken.is_err(), "{unit:?} is not {name}");
        }
    }
}
