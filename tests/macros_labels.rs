//! `#[derive(Labels)]` and `count!`.

use std::borrow::Cow;

use bellwether::{Counter, Labels, count, label::LabelValue, testing};

#[derive(Labels, Clone, Copy)]
struct Request {
    method: Method,
    #[label(name = "http.response.class")]
    status: StatusClass,
    cached: bool,
}

#[derive(Labels, Clone, Copy)]
enum Method {
    #[label(name = "GET")]
    Get,
    Post,
}

#[derive(Labels, Clone, Copy)]
enum StatusClass {
    Success = 200,
    ClientError = 400,
    HTTPFailure = 500,
}

#[derive(Labels)]
struct Open<'a, T: Copy, const N: usize>
where
    T: Default,
{
    route: &'a str,
    r#type: Cow<'static, str>,
    generic: T,
    counted: Counted<N>,
}

// A field type of the user's own, open and generic.
struct Counted<const N: usize>;

impl<const N: usize> LabelValue for Counted<N> {
    const CARDINALITY: Option<usize> = None;

    fn index(&self) -> usize {
        0
    }

    fn visit(&self, each: &mut dyn FnMut(&str)) {
        each("counted");
    }

    fn at(_: usize) -> Cow<'static, str> {
        "".into()
    }
}

fn values(labels: &impl Labels) -> Vec<String> {
    let mut found = Vec::new();
    labels.visit(&mut |value| found.push(value.to_owned()));
    found
}

#[test]
fn a_closed_set_is_the_product_of_its_fields_and_at_is_the_inverse_of_index() {
    assert_eq!(<Request as Labels>::KEYS, ["method", "http.response.class", "cached"]);
    assert_eq!(<Request as Labels>::CARDINALITY, Some(12));
    let mut seen = [false; 12];
    for method in [Method::Get, Method::Post] {
        for status in [StatusClass::Success, StatusClass::ClientError, StatusClass::HTTPFailure] {
            for cached in [false, true] {
                let request = Request { method, status, cached };
                let index = request.index();
                assert!(!std::mem::replace(&mut seen[index], true), "{index} twice");
                assert_eq!(<Request as Labels>::at(index), values(&request));
            }
        }
    }
}

#[test]
fn an_enum_alone_is_a_set_of_its_own_name() {
    assert_eq!(<StatusClass as Labels>::KEYS, ["status_class"]);
    assert_eq!(<StatusClass as Labels>::CARDINALITY, Some(3));
    assert_eq!(values(&StatusClass::HTTPFailure), ["http_failure"]);
    assert_eq!(<Method as Labels>::at(0), ["GET"]);
}

#[test]
fn an_open_field_opens_the_set() {
    let open = Open { route: "/x", r#type: "t".into(), generic: 5u8, counted: Counted::<1> };
    assert_eq!(Open::<u8, 1>::KEYS, ["route", "type", "generic", "counted"]);
    assert_eq!(Open::<u8, 1>::CARDINALITY, None);
    assert_eq!(values(&open), ["/x", "t", "5", "counted"]);
    assert_eq!(open.index(), 0);
}

#[test]
fn a_product_beyond_the_limit_is_open() {
    #[derive(Labels, Clone, Copy)]
    struct Wide {
        a: TooMany,
        b: bool,
    }

    #[derive(Clone, Copy)]
    struct TooMany;

    impl LabelValue for TooMany {
        const CARDINALITY: Option<usize> = Some(32_769);

        fn index(&self) -> usize {
            32_768
        }

        fn visit(&self, _: &mut dyn FnMut(&str)) {}

        fn at(_: usize) -> Cow<'static, str> {
            "".into()
        }
    }
    assert_eq!(<Wide as Labels>::CARDINALITY, None);
    assert_eq!(Wide { a: TooMany, b: true }.index(), 0);
}

#[test]
fn a_derived_set_selects_its_series() {
    static REQUESTS: Counter<Request> = Counter::new("labels.requests", "Requests");
    let scope = testing::scope();
    let request = Request { method: Method::Get, status: StatusClass::ClientError, cached: true };
    REQUESTS.bind(request).add(2);
    let labels = [("method", "GET"), ("http.response.class", "client_error"), ("cached", "true")];
    scope.assert_value("labels.requests", &labels, 2.0);
}

#[test]
fn count_adds_by_labels_and_amount() {
    let scope = testing::scope();
    let route = String::from("/x");
    for n in 1..=3_u64 {
        count!("labels.hits", by = n, tier = "l1", "http.route" = route, method = Method::Get);
        count!("labels.plain");
        count!("labels.short", n);
    }
    let labels = [("tier", "l1"), ("http.route", "/x"), ("method", "GET")];
    scope.assert_value("labels.hits", &labels, 6.0);
    scope.assert_value("labels.plain", &[], 3.0);
    scope.assert_value("labels.short", &[("n", "2")], 1.0);
    drop(route);
}

#[test]
fn a_label_of_count_is_any_expression() {
    let scope = testing::scope();
    let n = 1_u8;
    count!("labels.expressions", sum = n + 1, wide = n as u64, less = n < 2);
    let labels = [("sum", "2"), ("wide", "1"), ("less", "true")];
    scope.assert_value("labels.expressions", &labels, 1.0);
}

#[test]
fn the_order_of_keys_is_free_and_values_are_read_in_theirs() {
    let scope = testing::scope();
    let mut turn = 0;
    let mut next = || {
        turn += 1;
        turn
    };
    count!("labels.order", by = next(), a = next(), b = next());
    let mut turn = 0_u64;
    let mut next = || {
        turn += 1;
        turn
    };
    count!("labels.order", by = next(), b = 1 + next(), a = next() - 1);
    scope.assert_value("labels.order", &[("a", "2"), ("b", "3")], 2.0);
}
