//! Log records to Loki: what is to be written between the two marks, and what arrives, counted at the end. A listener
//! of the example's own stands for Loki, so that it runs anywhere; JSON is sent, so that it can be looked at.
//!
//! `cargo run --example loki`

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::{TcpListener, TcpStream},
    sync::mpsc,
    time::Duration,
};

use bellwether::{
    export::loki::{Loki, LokiForm},
    info,
    transport::{Endpoint, Secret},
    warn,
};

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, bodies) = server()?;

    // What your program has begins; without what allows plain http, without TLS, on the own machine, and with Loki's
    // usual form, which is protobuf.
    let endpoint = Endpoint::new(&url).allow_plain_http().allow_private();
    let endpoint = endpoint.basic("123456", Secret::new("in a program: Secret::from_file"));
    let loki = Loki::new(endpoint)
        .tenant("our-shop")
        .label("deployment.environment.name")
        .form(LokiForm::Json);
    let telemetry = bellwether::builder("shop")
        .resource("deployment.environment.name", "production")
        .export(loki)
        .start()?;
    // It ends.

    {
        let _span = bellwether::span("checkout").enter();
        info!("paid", cart = 7, http.route = "/pay");
        warn!("the card was refused", cart = 8);
    }
    let report = telemetry.shutdown(Duration::from_secs(10));
    println!("{report}");
    assert!(report.settled);

    let request: String = bodies.try_iter().collect();
    println!("{request}");
    for part in [
        r#""deployment_environment_name":"production","level":"info","service_name":"shop""#,
        r#""paid",{"trace_id":""#,
        r#""http_route":"/pay""#,
        r#""level":"warn""#,
    ] {
        assert!(request.contains(part), "{part} did not arrive");
    }
    Ok(())
}

/// A server that takes everything, and its URL.
fn server() -> std::io::Result<(String, mpsc::Receiver<String>)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let url = format!("http://{}", listener.local_addr()?);
    let (sender, bodies) = mpsc::channel();
    std::thread::spawn(move || {
        for stream in listener.incoming().map_while(Result::ok) {
            let sender = sender.clone();
            std::thread::spawn(move || while serve(&stream, &sender).is_some() {});
        }
    });
    Ok((url, bodies))
}

/// Reads a request and answers it; `None` when the client is gone.
fn serve(mut stream: &TcpStream, bodies: &mpsc::Sender<String>) -> Option<()> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0);
    while line != "\r\n" {
        line.clear();
        reader.read_line(&mut line).ok().filter(|n| *n > 0)?;
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().ok()?;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).ok()?;
    bodies.send(String::from_utf8(body).ok()?).ok()?;
    stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").ok()
}
