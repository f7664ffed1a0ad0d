//! `X-Amzn-Trace-Id`.

use proptest::prelude::*;

use super::*;
use crate::trace::propagator::XRay;

const ROOT: &str = "Root=1-5759e988-bd862e3fe1be46a994272793";
const PARENT: &str = "Parent=53995c3f42cd8ad8";
const TRACE: u128 = 0x5759_e988_bd86_2e3f_e1be_46a9_9427_2793;
const SPAN: u64 = 0x5399_5c3f_42cd_8ad8;

/// Field by field.
fn naive(headers: &[(&'static str, Vec<u8>)]) -> Said {
    let read = || {
        let text = text_of(headers, "x-amzn-trace-id")?;
        let fields = text.split(';').map(|field| field.trim_matches([' ', '\t']));
        let fields: Option<Vec<_>> =
            fields.filter(|field| !field.is_empty()).map(|field| field.split_once('=')).collect();
        let fields = fields?;
        let one = |key: &str| {
            let mut values =
                fields.iter().filter(|(other, _)| *other == key).map(|(_, value)| *value);
            let first = values.next();
            if values.next().is_some() { Err(()) } else { Ok(first) }
        };
        let (root, parent, sampled) =
            (one("Root").ok()?, one("Parent").ok()?, one("Sampled").ok()?);
        let sampled = match sampled {
            Some("1") => Some(true),
            Some("0") => Some(false),
            Some("?") | None => None,
            Some(_) => return None,
        };
        let span = match parent {
            Some(parent) => id(parent, 16)? as u64,
            None => 0,
        };
        let trace = match root {
            Some(root) => {
                let parts: Vec<&str> = root.split('-').collect();
                let ["1", time, rest] = parts[..] else { return None };
                let trace = hex(time, 8)? << 96 | hex(rest, 24)?;
                Some(trace).filter(|&trace| trace != 0)?
            }
            None if parent.is_some() => return None,
            None => 0,
        };
        Some(Said { trace, span, sampled, ..Said::default() })
    };
    read().unwrap_or_default()
}

fn check(headers: Sent) {
    assert_eq!(said(&XRay, &headers), naive(&headers), "{headers:?}");
}

#[test]
fn headers_say_what_the_specification_has_them_say() {
    let full = |sampled| Said { trace: TRACE, span: SPAN, sampled, ..Said::default() };
    for (header, expected) in [
        (format!("{ROOT};{PARENT};Sampled=1"), full(Some(true))),
        (format!("Sampled=0;{PARENT} ; {ROOT};"), full(Some(false))),
        (format!("{ROOT};{PARENT};Sampled=?"), full(None)),
        (format!("{ROOT};{PARENT};Sampled=1;Lineage=1:a87bd80c:0"), full(Some(true))),
        // As load balancers have it.
        (ROOT.to_owned(), Said { span: 0, ..full(None) }),
        (format!("Self=1-67891234-12456789abcdef012345678;{ROOT}"), Said { span: 0, ..full(None) }),
        ("Sampled=0".into(), Said { sampled: Some(false), ..Said::default() }),
        // Refused.
        (format!("{ROOT};{ROOT}"), Said::default()),
        (format!("{PARENT};Sampled=1"), Said::default()),
        (format!("{ROOT};{PARENT};Sampled=2"), Said::default()),
        (format!("{ROOT};{PARENT};Sampled"), Said::default()),
        ("Root=2-5759e988-bd862e3fe1be46a994272793".into(), Said::default()),
        ("Root=1-00000000-000000000000000000000000".into(), Said::default()),
        ("Root=5759e988bd862e3fe1be46a994272793".into(), Said::default()),
        (format!("{ROOT};{}", "x=1;".repeat(300)), Said::default()),
    ] {
        assert_eq!(
            said(&XRay, &[("x-amzn-trace-id", header.clone().into())]),
            expected,
            "{header}"
        );
    }
}

#[test]
fn every_change_agrees_with_a_plain_reader() {
    each_change(&[("x-amzn-trace-id", &format!("{ROOT};{PARENT};Sampled=1"))], check);
    each_change(&[("x-amzn-trace-id", &format!("Self=x;Sampled=? ; {ROOT};"))], check);
    each_change(&[("x-amzn-trace-id", "Sampled=0")], check);
}

#[test]
fn a_context_comes_back_as_it_went() {
    for context in contexts() {
        assert_round_trip(&XRay, &context);
        assert_round_trip(&XRay, &remote(&context).span().clone().with_deferred_sampling().into());
    }
    for header in [ROOT, "Sampled=1", &format!("{ROOT};Sampled=0")] {
        let caller = XRay.extract(&[("x-amzn-trace-id", header)]);
        assert_eq!(written(&XRay, &caller), [("x-amzn-trace-id".to_owned(), header.to_owned())]);
    }
    assert!(written(&XRay, &Context::NONE).is_empty());
}

proptest! {
    #[test]
    fn any_text_of_pieces_agrees_with_a_plain_reader(pieces in prop::collection::vec(
        prop::sample::select(vec![
            ROOT, PARENT, "Sampled=1", "Sampled=?", "Root=", "Parent=", "1-", "5759e988-",
            "bd862e3fe1be46a994272793", "Self=", ";", ";", ";", "=", " ", "é",
        ]),
        0..10,
    )) {
        check(vec![("x-amzn-trace-id", pieces.concat().into_bytes())]);
    }
}
