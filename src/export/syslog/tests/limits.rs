//! Messages that are too long.

use super::*;

/// The length of a message.
fn length(syslog: &Syslog, record: &LogRecord) -> usize {
    encoded(syslog, vec![record.clone()]).bytes().len()
}

fn of_body(body: &str) -> LogRecord {
    LogRecord::new(LogSeverity::INFO, body.to_owned()).with_attribute("k", "v")
}

#[test]
fn a_message_of_the_limit_is_whole_and_one_byte_more_is_cut_and_says_so() {
    let empty = length(&syslog(), &of_body("x"));
    let fits = of_body(&"x".repeat(2_048 - empty + 1));
    assert_eq!(length(&syslog(), &fits), 2_048);
    let whole = message(&syslog(), fits);
    assert_eq!((whole.param("truncated"), whole.param("k")), (None, Some("v")));
    let longer = of_body(&"x".repeat(2_048 - empty + 2));
    assert_eq!(length(&syslog(), &longer), 2_048);
    let cut = message(&syslog(), longer);
    assert_eq!((cut.param("truncated"), cut.param("k")), (Some("true"), Some("v")));
    assert_eq!(cut.text.len(), 2_048 - empty + 1 - " truncated=\"true\"".len());
}

#[test]
fn every_length_of_text_and_attributes_fits_and_can_be_read() {
    for most in [480, 481, 600, 2_048] {
        let syslog = syslog().max_message(most).bom();
        for n in (0..700).step_by(7) {
            for text in ["日本é\"", "]\0\n"] {
                let text = text.repeat(n);
                let mut record = LogRecord::new(LogSeverity::ERROR, text.clone());
                (0..n % 40).for_each(|k| record.set_attribute(format!("key{k}"), text.clone()));
                let bytes = encoded(&syslog, vec![record.clone()]);
                assert!(bytes.bytes().len() <= most, "{most} {n}: {}", bytes.bytes().len());
                let message = read(bytes.bytes());
                let text = format!("\u{feff}{}", text.replace('\0', "\u{fffd}"));
                let is_whole = message.text == text || n == 0;
                assert!(text.starts_with(&message.text), "{most} {n}");
                assert_eq!(message.param("truncated").is_none(), is_whole, "{most} {n}");
                let n_left_out = message.param("left_out").map_or(0, |n| n.parse().unwrap());
                let n_there = message.params.iter().filter(|(k, _)| k.starts_with("key")).count();
                // Without attributes, and at the limit, the line of the source may be left out too.
                assert!(n_there + n_left_out >= record.attributes().len(), "{most} {n}");
            }
        }
    }
}

#[test]
fn a_text_keeps_half_of_the_room_and_all_that_attributes_do_not_need() {
    let text = "x".repeat(5_000);
    let crowded = of_body(&text).with_attribute("large", "y".repeat(1_500));
    let many = (0..200).fold(of_body(&text), |record, n| record.with_attribute(format!("a{n}"), n));
    let lonely = of_body(&text);
    let lengths = [crowded, many, lonely].map(|record| message(&syslog(), record).text.len());
    assert!(lengths[0] > 1_800, "what has no room takes none: {lengths:?}");
    assert!(lengths[1] > 900 && lengths[1] < 1_200, "{lengths:?}");
    assert!(lengths[2] > 1_800, "{lengths:?}");
    // An attribute that finds no room is left out, and a short one behind it is there.
    let record = of_body("x").with_attribute("large", "y".repeat(3_000)).with_attribute("z", 1);
    let message = message(&syslog(), record);
    assert_eq!((message.param("left_out"), message.param("truncated")), (Some("1"), None));
    assert_eq!((message.param("large"), message.param("z")), (None, Some("1")));
    assert_eq!(message.text, "x");
}

#[test]
fn the_smallest_limit_leaves_a_header_of_any_length_whole() {
    let syslog = syslog().host_name("h".repeat(300)).app_name("a".repeat(300)).max_message(1);
    let record = of_body(&"é".repeat(500)).with_event_name("e".repeat(300));
    let bytes = encoded(&syslog, vec![record]);
    assert!(bytes.bytes().len() <= 480 && bytes.bytes().len() > 470);
    let message = read(bytes.bytes());
    assert_eq!((message.host.len(), message.app.len(), message.id.len()), (255, 48, 32));
    assert!(message.text.starts_with('é'));
}

#[test]
fn limits_are_those_of_the_way() {
    assert_eq!(Syslog::udp("h:1").options.most_bytes, 2_048);
    assert_eq!(Syslog::tcp("h:1").options.most_bytes, 8_192);
    assert_eq!(Syslog::tcp("h:1").max_message(0).options.most_bytes, 480);
}
