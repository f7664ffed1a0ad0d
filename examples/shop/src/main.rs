//! A small shop, observed: metrics, spans, an alert, and an account of every record.
//!
//! ```text
//! cargo run --release -p shop                         # a demonstration of ten seconds
//! cargo run --release -p shop -- --listen 127.0.0.1:8080 --telemetry 127.0.0.1:9464 \
//!     --spans spans.jsonl                             # serves until SIGTERM or Ctrl-C
//! ```
//!
//! | file | what it has |
//! | --- | --- |
//! | `server.rs` | connections, and what is recorded of each request |
//! | `routes.rs` | what the shop does: `#[observe]`d functions |
//! | `inventory.rs` | the call to the inventory service, with the trace in its headers |
//! | `stores.rs` | the cache and the database, simulated |
//! | `alerts.rs` | the alert rule |
//! | `demo.rs`, `customers.rs`, `screen/` | the demonstration, its load, and how it is printed |

mod alerts;
mod connection;
mod customers;
mod demo;
mod inventory;
mod options;
mod routes;
mod screen;
mod serve;
mod server;
mod stores;

use std::process::ExitCode;

use options::{HELP, Mode};

#[tokio::main]
async fn main() -> ExitCode {
    let arguments = std::env::args_os().skip(1);
    let arguments = arguments.map(|argument| argument.to_string_lossy().into_owned());
    let ended = match Mode::parse(arguments) {
        Ok(Mode::Demo { keep }) => demo::run(keep).await,
        Ok(Mode::Serve(options)) => serve::run(options).await,
        Ok(Mode::Help) => {
            println!("{HELP}");
            Ok(())
        }
        Err(message) => Err(message),
    };
    match ended {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("shop: {message}");
            ExitCode::FAILURE
        }
    }
}

/// An error and what caused it, in one line.
fn with_cause(error: impl std::error::Error) -> String {
    let cause = error.source().map(|cause| format!(": {cause}"));
    format!("{error}{}", cause.unwrap_or_default())
}
