//! Without the feature `syslog-tls` there are no places that are reached by TLS.

use std::{io, net::TcpStream};

use crate::clock::Deadline;

#[derive(Clone, Debug)]
pub(crate) enum TlsPlace {}

#[derive(Debug)]
pub(super) enum TlsSocket {}

impl TlsPlace {
    pub(super) fn place(&self) -> &str {
        match *self {}
    }

    pub(super) fn check(&self) -> Result<(), String> {
        match *self {}
    }

    pub(super) fn begin(&self, _stream: TcpStream, _deadline: &Deadline) -> io::Result<TlsSocket> {
        match *self {}
    }
}

impl TlsSocket {
    pub(super) fn write(
        &mut self,
        _bytes: &[u8],
        _deadline: &Deadline,
    ) -> Result<(), (usize, io::Error)> {
        match *self {}
    }

    pub(super) fn is_closed(&mut self) -> bool {
        match *self {}
    }
}
