//! The response to a client whose request cannot be read.
//!
//! To such a request hyper writes a bare status line and closes the connection. People then see an
//! empty page, and some clients see nothing: what they still send meets a closed socket, whose reset
//! overtakes the response. So the response gets a text, and everything after it is read and discarded.

use std::{
    io,
    pin::Pin,
    task::{Context, Poll, ready},
};

use hyper::rt::{Read, ReadBuf, Write};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::exchange::{MAX_FIELDS, MAX_HEAD_BYTES};

/// The response to a request that could not be read, if there was one.
#[derive(Default)]
pub(super) struct Refusal {
    /// The bytes written instead of hyper's response, and how many were written.
    answer: Vec<u8>,
    n_written: usize,
    n_drained: usize,
}

/// How much is read at most from a refused client. Its deadline applies meanwhile.
const MAX_DRAINED: usize = 1 << 20;

impl Refusal {
    /// Writes a response with a text instead of `bytes`, which are hyper's own. When it is written, all
    /// of `bytes` count as written.
    pub(super) fn poll_write(
        &mut self,
        stream: &mut TokioIo<TcpStream>,
        cx: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        if self.answer.is_empty() {
            let Some(answer) = answer(bytes) else { return Pin::new(stream).poll_write(cx, bytes) };
            self.answer = answer;
        }
        while self.n_written < self.answer.len() {
            let rest = &self.answer[self.n_written..];
            match ready!(Pin::new(&mut *stream).poll_write(cx, rest))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => self.n_written += n,
            }
        }
        Poll::Ready(Ok(bytes.len()))
    }

    /// Reads what a refused client still sends, until it stops or has sent enough.
    pub(super) fn poll_drain(
        &mut self,
        stream: &mut TokioIo<TcpStream>,
        cx: &mut Context<'_>,
    ) -> Poll<()> {
        let mut bytes = [0; 4096];
        while !self.answer.is_empty() && self.n_drained < MAX_DRAINED {
            let mut buffer = ReadBuf::new(&mut bytes);
            if ready!(Pin::new(&mut *stream).poll_read(cx, buffer.unfilled())).is_err() {
                break;
            }
            match buffer.filled().len() {
                0 => break,
                n => self.n_drained += n,
            }
        }
        Poll::Ready(())
    }
}

/// A response with a text in place of hyper's bare one; `None` if that is not a refusal.
fn answer(bare: &[u8]) -> Option<Vec<u8>> {
    let line = bare.split(|&byte| byte == b'\r').next()?;
    let line = std::str::from_utf8(line).ok().filter(|line| line.starts_with("HTTP/1."))?;
    let text = match line.split(' ').nth(1)? {
        "431" => format!(
            "the head of a request may have {} KiB and {MAX_FIELDS} fields at most: \
             this one has more, cookies as a rule\n",
            MAX_HEAD_BYTES / 1024
        ),
        "414" => format!("the target is too long: {} KiB at most\n", MAX_HEAD_BYTES / 1024),
        "400" => "this is no HTTP request that can be read\n".to_owned(),
        "505" => "only HTTP/1.0 and HTTP/1.1 are spoken\n".to_owned(),
        _ => return None,
    };
    let answer = format!(
        "{line}\r\ncontent-type: text/plain; charset=utf-8\r\ncontent-length: {}\r\n\
         connection: close\r\n\r\n{text}",
        text.len()
    );
    Some(answer.into_bytes())
}
