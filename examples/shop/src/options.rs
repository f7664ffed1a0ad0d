//! What the command line asks for.

pub(crate) const HELP: &str = "\
A small shop that is observed with bellwether.

Usage:
  shop [--keep]                                     shows a demonstration
  shop --listen ADDR [--telemetry ADDR] [--spans FILE]     serves requests

The demonstration sends requests to the shop for ten seconds. For three of them
its database loses connections.

  --keep             leave the shop and its metrics up afterwards, until Ctrl-C
  --listen ADDR      serve /catalog, /checkout, /inventory, /fail and /slow?ms=N
                     on this address until SIGTERM or Ctrl-C
  --telemetry ADDR   serve /metrics, for Prometheus, on this address
  --spans FILE       append the spans to this file, one line of JSON for each
  --help             print this

Colours are left out where the output is no terminal, or NO_COLOR is set.";

#[derive(Debug, PartialEq)]
pub(crate) enum Mode {
    Demo { keep: bool },
    Serve(ServeOptions),
    Help,
}

/// Without `spans`, spans go nowhere: they only carry the callers' traces on.
#[derive(Debug, Default, PartialEq)]
pub(crate) struct ServeOptions {
    pub(crate) listen: String,
    pub(crate) telemetry: Option<String>,
    pub(crate) spans: Option<String>,
}

impl Mode {
    pub(crate) fn parse(mut arguments: impl Iterator<Item = String>) -> Result<Self, String> {
        let (mut keep, mut listen, mut telemetry, mut spans) = (false, None, None, None);
        while let Some(name) = arguments.next() {
            let option = match name.as_str() {
                "--help" | "-h" => return Ok(Self::Help),
                "--keep" => {
                    keep = true;
                    continue;
                }
                "--listen" => &mut listen,
                "--telemetry" => &mut telemetry,
                "--spans" => &mut spans,
                _ => return Err(format!("{name:?} is no option; --help lists them")),
            };
            *option = Some(arguments.next().ok_or(format!("{name} wants a value"))?);
        }
        match listen {
            Some(_) if keep => Err("--keep belongs to the demonstration, not to --listen".into()),
            Some(listen) => Ok(Self::Serve(ServeOptions { listen, telemetry, spans })),
            None if telemetry.is_some() || spans.is_some() => {
                Err("--telemetry and --spans want --listen ADDR too".into())
            }
            None => Ok(Self::Demo { keep }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(line: &str) -> Result<Mode, String> {
        Mode::parse(line.split_whitespace().map(str::to_owned))
    }

    #[test]
    fn a_line_without_an_address_is_a_demonstration() {
        assert_eq!(parse(""), Ok(Mode::Demo { keep: false }));
        assert_eq!(parse("--keep"), Ok(Mode::Demo { keep: true }));
        assert_eq!(parse("--keep --help"), Ok(Mode::Help));
    }

    #[test]
    fn a_line_with_an_address_serves() {
        let listen = "a:1".to_owned();
        let (telemetry, spans) = (Some("b:2".to_owned()), Some("c".to_owned()));
        assert_eq!(
            parse("--spans c --listen a:1 --telemetry b:2"),
            Ok(Mode::Serve(ServeOptions { listen, telemetry, spans }))
        );
    }

    #[test]
    fn options_that_do_not_fit_together_are_refused() {
        for (line, names) in
            [("--spans c", "--listen"), ("--keep --listen a:1", "--keep"), ("--lisp", "--lisp")]
        {
            assert!(parse(line).is_err_and(|message| message.contains(names)), "{line}");
        }
    }

    #[test]
    fn help_fits_into_eighty_columns() {
        assert!(HELP.lines().all(|line| line.chars().count() <= 80));
    }
}
