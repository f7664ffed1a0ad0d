//! Methods and status codes of the crate `http` as label values.

use std::borrow::Cow;

use http::{Method, StatusCode};

use super::LabelValue;

/// A method may be any word that a client sends. If nothing checks it before, declare the known ones
/// instead: `#[label(values = [..])]` on a text.
impl LabelValue for Method {
    const CARDINALITY: Option<usize> = None;

    #[inline]
    fn index(&self) -> usize {
        0
    }

    #[inline]
    fn visit(&self, each: &mut dyn FnMut(&str)) {
        each(self.as_str());
    }

    fn at(_index: usize) -> Cow<'static, str> {
        Cow::Borrowed("")
    }
}

/// Its three digits.
impl LabelValue for StatusCode {
    const CARDINALITY: Option<usize> = None;

    #[inline]
    fn index(&self) -> usize {
        0
    }

    #[inline]
    fn visit(&self, each: &mut dyn FnMut(&str)) {
        each(self.as_str());
    }

    fn at(_index: usize) -> Cow<'static, str> {
        Cow::Borrowed("")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_is_its_digits_and_a_method_its_word() {
        LabelValue::visit(&StatusCode::NOT_FOUND, &mut |text| assert_eq!(text, "404"));
        LabelValue::visit(&Method::PATCH, &mut |text| assert_eq!(text, "PATCH"));
        let own = Method::from_bytes(b"PURGE").unwrap();
        LabelValue::visit(&own, &mut |text| assert_eq!(text, "PURGE"));
    }
}
