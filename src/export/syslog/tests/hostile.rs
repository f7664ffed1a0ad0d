//! Hostile texts, in every place of a message.

use super::*;
use crate::export::wire::hostile;

/// A text where one would be read whole.
fn whole() -> Syslog {
    syslog().max_message(usize::MAX)
}

/// What a place of printable ASCII makes of a text.
fn printable(text: &str, most: usize, reserved: &str) -> String {
    let is_kept = |c: char| c.is_ascii_graphic() && !reserved.contains(c);
    let shown: String = text.chars().take(most).map(|c| if is_kept(c) { c } else { '_' }).collect();
    shown
}

fn or_nil(shown: String) -> String {
    if shown.is_empty() { "-".to_owned() } else { shown }
}

#[test]
fn a_hostile_text_is_as_it_was_in_the_message_and_in_values() {
    for (which, text) in hostile::strings("syslog") {
        let record = LogRecord::new(LogSeverity::INFO, &*text)
            .with_attribute("k", &*text)
            .with_severity_text(text.clone())
            .with_location(text.clone(), 7)
            .with_attribute("last", 1);
        // Of a text that is borrowed, the record has the first 64 KiB.
        let kept = record.body().to_string().replace('\0', "\u{fffd}");
        let all = text.replace('\0', "\u{fffd}");
        let message = message(&whole(), record);
        assert_eq!((&*message.text, message.param("k")), (&*kept, Some(&*kept)), "{which}");
        assert_eq!(message.param("severity_text"), Some(&*all), "{which}");
        assert_eq!(message.param("code.file.path"), Some(&*all), "{which}");
        assert_eq!(message.param("last"), Some("1"), "{which}");
    }
}

#[test]
fn a_hostile_text_is_printable_in_the_header_and_in_names() {
    for (which, text) in hostile::strings("syslog, names") {
        let record = LogRecord::new(LogSeverity::INFO, "x")
            .with_event_name(text.clone())
            .with_attribute(text.clone(), "v");
        let syslog = whole().host_name(text.clone()).app_name(text.clone());
        let message = message(&syslog, record);
        assert_eq!(message.id, or_nil(printable(&text, 32, "")), "{which}");
        assert_eq!(message.host, or_nil(printable(&text, 255, "")), "{which}");
        assert_eq!(message.app, or_nil(printable(&text, 48, "")), "{which}");
        let name = printable(&text, 32, "=]\"");
        let name = if name.is_empty() { "_".to_owned() } else { name };
        assert_eq!(message.params, [(name, "v".to_owned())], "{which}");
    }
}

#[test]
fn a_hostile_target_and_resource_are_whole_in_their_parameters() {
    for (which, text) in hostile::strings("syslog, resource") {
        let mut encoder = whole().logs_encoder();
        let resource = Resource::service(&text).with("service.instance.id", text.clone());
        let instance = resource.get("service.instance.id").unwrap().to_string();
        encoder.start(&Setup::new(resource)).unwrap();
        let record = LogRecord::new(LogSeverity::INFO, "x").with_target(text.clone());
        let message = read(encoder.encode(&Batch::from(vec![record])).bytes());
        let wanted = instance.replace('\0', "\u{fffd}");
        assert_eq!(message.param("service.instance.id"), Some(&*wanted), "{which}");
        let target =
            message.param("target").unwrap_or(if text.is_empty() { "" } else { &message.id });
        assert_eq!(target, text.replace('\0', "\u{fffd}"), "{which}");
    }
}
