//! What `OTEL_RESOURCE_ATTRIBUTES` and `OTEL_SERVICE_NAME` say, by OpenTelemetry's specification ("Resource
//! SDK", "Specifying resource information via an environment variable").

use super::{
    attributes::Resource,
    surroundings::{Surroundings, first_of},
};

const ATTRIBUTES: &str = "OTEL_RESOURCE_ATTRIBUTES";
const SERVICE_NAME: &str = "OTEL_SERVICE_NAME";

/// The most bytes of the variable, and the most attributes. Arbitrary: OpenTelemetry limits a span to as many
/// attributes, and a resource is sent with each request.
const MOST_BYTES: usize = 16 << 10;
const MOST_ATTRIBUTES: usize = 128;

/// The resource that the environment describes, and what is wrong with it. A list with an error is left out
/// as a whole, as the specification has it.
pub(super) fn of_environment(from: &dyn Surroundings) -> (Resource, Option<String>) {
    let text = from.variable(ATTRIBUTES).unwrap_or_default();
    let (attributes, fault) = match parse(&text) {
        Ok(attributes) => (attributes, None),
        Err(fault) => (Vec::new(), Some(format!("{ATTRIBUTES} is left out: {fault}"))),
    };
    let mut resource = Resource::default();
    for (key, value) in attributes {
        resource = resource.with(key, value);
    }
    if let Some(name) = first_of(from, &[SERVICE_NAME]) {
        resource = resource.with("service.name", name);
    }
    (resource, fault)
}

/// Reads `key=value,key=value`. In both, `,` and `%` are percent-encoded, and in a key `=`.
fn parse(text: &str) -> Result<Vec<(String, String)>, String> {
    if text.len() > MOST_BYTES {
        return Err(format!("it has more than {MOST_BYTES} bytes"));
    }
    let mut attributes = Vec::new();
    // An empty member, as behind a comma at the end, says nothing that could be wrong.
    for member in text.split(',').map(str::trim).filter(|member| !member.is_empty()) {
        let fault = |what: &str| format!("{what} in {member:?}");
        let (key, value) = member.split_once('=').ok_or_else(|| fault("no `=`"))?;
        let key = decode(key.trim()).ok_or_else(|| fault("a key that cannot be decoded"))?;
        let value = decode(value.trim()).ok_or_else(|| fault("a value that cannot be decoded"))?;
        if key.is_empty() {
            return Err(fault("no key"));
        }
        attributes.push((key, value));
    }
    if attributes.len() > MOST_ATTRIBUTES {
        return Err(format!("it has more than {MOST_ATTRIBUTES} attributes"));
    }
    Ok(attributes)
}

/// Without percent-encoding; `None` if that or the result is malformed.
fn decode(text: &str) -> Option<String> {
    let mut parts = text.split('%');
    let mut bytes = parts.next()?.as_bytes().to_vec();
    for part in parts {
        let digits =
            part.get(..2).filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()))?;
        bytes.push(u8::from_str_radix(digits, 16).ok()?);
        bytes.extend_from_slice(&part.as_bytes()[2..]);
    }
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{super::surroundings::tests::Given, *};

    fn shown(resource: &Resource) -> Vec<String> {
        resource.attributes().iter().map(|each| format!("{}={}", each.key, each.value)).collect()
    }

    #[test]
    fn keys_and_values_are_decoded_and_white_space_around_them_is_none_of_theirs() {
        let text = " a = 1 ,b%2Cc=x%20y%3D,d=,caf%C3%A9=e=f,";
        let (resource, fault) = of_environment(&Given::default().with(&[(ATTRIBUTES, text)]));
        assert_eq!(shown(&resource), ["a=1", "b,c=x y=", "café=e=f", "d="]);
        assert_eq!(fault, None);
    }

    #[test]
    fn a_list_with_an_error_is_left_out_as_a_whole_and_the_error_named() {
        for (text, what) in [
            ("a=1,b", "no `=` in \"b\""),
            ("a=1,=2", "no key in \"=2\""),
            ("a=1,b=%2", "a value that cannot be decoded in \"b=%2\""),
            ("a=1,b=%+2", "a value that cannot be decoded in \"b=%+2\""),
            ("a=1,b=%é", "a value that cannot be decoded in \"b=%é\""),
            ("a=1,b=%FF", "a value that cannot be decoded in \"b=%FF\""),
            ("a=1,%zz=1", "a key that cannot be decoded in \"%zz=1\""),
        ] {
            let given = Given::default().with(&[(ATTRIBUTES, text), (SERVICE_NAME, "shop")]);
            let (resource, fault) = of_environment(&given);
            assert_eq!(shown(&resource), ["service.name=shop"], "{text}");
            let expected = format!("OTEL_RESOURCE_ATTRIBUTES is left out: {what}");
            assert_eq!(fault.as_deref(), Some(&*expected));
        }
    }

    #[test]
    fn a_list_beyond_the_limits_is_left_out_as_a_whole() {
        let many = |n: usize| (0..n).map(|n| format!("k{n}=v,")).collect::<String>();
        assert_eq!(parse(&many(MOST_ATTRIBUTES)).unwrap().len(), MOST_ATTRIBUTES);
        assert!(parse(&many(MOST_ATTRIBUTES + 1)).unwrap_err().contains("128 attributes"));
        let long = |n: usize| format!("k={}", "v".repeat(n - 2));
        assert!(parse(&long(MOST_BYTES)).is_ok());
        assert!(parse(&long(MOST_BYTES + 1)).unwrap_err().contains("16384 bytes"));
    }

    #[test]
    fn the_variable_of_the_name_holds_before_the_list() {
        let variables = [(ATTRIBUTES, "service.name=list,team=a"), (SERVICE_NAME, "variable")];
        let (resource, _) = of_environment(&Given::default().with(&variables));
        assert_eq!(shown(&resource), ["service.name=variable", "team=a"]);
        let (resource, _) = of_environment(&Given::default().with(&variables[..1]));
        assert_eq!(shown(&resource), ["service.name=list", "team=a"]);
        let (resource, fault) = of_environment(&Given::default());
        assert_eq!((shown(&resource), fault), (Vec::new(), None));
    }

    proptest! {
        #[test]
        fn what_is_encoded_byte_by_byte_is_decoded(text in ".{0,20}") {
            let encoded: String = text.bytes().map(|byte| format!("%{byte:02X}")).collect();
            prop_assert_eq!(decode(&encoded), Some(text));
        }

        #[test]
        fn no_text_makes_it_panic(text in "[a=,% é0-9A-F]{0,30}") {
            let _ = parse(&text);
        }
    }
}
