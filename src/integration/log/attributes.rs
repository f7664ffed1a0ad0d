//! Key-values of `log` as attributes.

use ::log::kv::{Error, Key, Source, Value, VisitSource, VisitValue};

use crate::{log::LogRecord, util::catch::catch};

/// Adds the key-values of `source`. More than any limit allows are not even looked at.
pub(super) fn add(record: &mut LogRecord, source: &dyn Source) {
    // An error ends the visit, and so does a panic: what came before it stands.
    let _ = catch(|| source.visit(&mut Adder { record, left: MOST }));
}

/// The most key-values of a record that are looked at; its limit is applied later. Arbitrary.
const MOST: usize = 1024;

struct Adder<'a> {
    record: &'a mut LogRecord,
    left: usize,
}

impl<'kvs> VisitSource<'kvs> for Adder<'_> {
    fn visit_pair(&mut self, key: Key<'kvs>, value: Value<'kvs>) -> Result<(), Error> {
        let Some(left) = self.left.checked_sub(1) else {
            self.record.add_dropped_attributes(1);
            return Ok(());
        };
        self.left = left;
        value.visit(Of { record: self.record, key: key.to_string() })
    }
}

/// Adds one value under its key.
struct Of<'a> {
    record: &'a mut LogRecord,
    key: String,
}

macro_rules! visit {
    ($($name:ident: $ty:ty)*) => {
        $(fn $name(&mut self, value: $ty) -> Result<(), Error> {
            self.record.set_attribute(std::mem::take(&mut self.key), value);
            Ok(())
        })*
    };
}

impl<'v> VisitValue<'v> for Of<'_> {
    visit! {
        visit_i64: i64
        visit_u64: u64
        visit_i128: i128
        visit_u128: u128
        visit_f64: f64
        visit_bool: bool
        visit_str: &str
        visit_char: char
    }

    fn visit_null(&mut self) -> Result<(), Error> {
        Ok(()) // An attribute without a value is none.
    }

    fn visit_any(&mut self, value: Value<'_>) -> Result<(), Error> {
        let key = std::mem::take(&mut self.key);
        self.record.print_attribute(key, format_args!("{value}"));
        Ok(())
    }
}
