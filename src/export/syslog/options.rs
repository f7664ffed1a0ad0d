//! Where messages go, and what a user chooses of them.

use std::borrow::Cow;
#[cfg(unix)]
use std::path::PathBuf;

use crate::transport::socket::StreamPlace;

/// Where messages go.
#[derive(Clone, Debug)]
pub(super) enum Way {
    /// `host:port`.
    Udp(String),
    Stream(StreamPlace),
    /// The path of a socket of the own machine, of datagrams or of streams.
    #[cfg(unix)]
    Local(PathBuf),
}

impl Way {
    /// How long a message may be, unless the user says otherwise: what receivers should take by RFC 5424, 6.1, and
    /// by RFC 5425, 4.3.1. A datagram of the first length is sent in two parts by most networks.
    pub(super) fn usual_bytes(&self) -> usize {
        match self {
            Self::Udp(_) => 2_048,
            _ => 8_192,
        }
    }

    pub(super) fn usual_framing(&self) -> SyslogFraming {
        match self {
            Self::Udp(_) | Self::Stream(_) => SyslogFraming::OctetCounting,
            #[cfg(unix)]
            Self::Local(_) => SyslogFraming::Nul,
        }
    }
}

/// How messages are written.
#[derive(Clone, Debug)]
pub(super) struct Options {
    pub(super) facility: SyslogFacility,
    pub(super) host_name: Option<String>,
    pub(super) app_name: Option<String>,
    pub(super) sd_id: Cow<'static, str>,
    pub(super) resource_params: Vec<(Cow<'static, str>, Cow<'static, str>)>,
    pub(super) has_bom: bool,
    pub(super) most_bytes: usize,
}

/// What every receiver takes (RFC 5424, 6.1).
const LEAST_BYTES: usize = 480;

/// Attributes of the resource that say who speaks, and that no field of the header has.
const RESOURCE_PARAMS: [&str; 3] =
    ["service.namespace", "service.instance.id", "deployment.environment.name"];

impl Options {
    pub(super) fn new(most_bytes: usize) -> Self {
        Self {
            facility: SyslogFacility::default(),
            host_name: None,
            app_name: None,
            sd_id: Cow::Borrowed("bellwether@32473"),
            resource_params: RESOURCE_PARAMS.map(|key| (key.into(), key.into())).to_vec(),
            has_bom: false,
            most_bytes,
        }
    }

    pub(super) fn most_bytes(&mut self, n: usize) {
        self.most_bytes = n.max(LEAST_BYTES);
    }
}

/// Which part of a system messages are of (RFC 5424, table 1): what receivers sort them by.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SyslogFacility {
    /// `kern`: of the kernel. Local receivers do not take it from a process.
    Kernel = 0,
    /// `user`: of processes.
    #[default]
    User = 1,
    /// `mail`.
    Mail = 2,
    /// `daemon`: of services of the system.
    Daemon = 3,
    /// `auth`: of security and authorization.
    Auth = 4,
    /// `syslog`: of the receiver itself.
    Syslog = 5,
    /// `lpr`: of printing.
    Printer = 6,
    /// `news`.
    News = 7,
    /// `uucp`.
    Uucp = 8,
    /// `cron`.
    Cron = 9,
    /// `authpriv`: as [`Auth`](Self::Auth), for few eyes.
    AuthPrivate = 10,
    /// `ftp`.
    Ftp = 11,
    /// `ntp`.
    Ntp = 12,
    /// An audit.
    Audit = 13,
    /// An alert about logs.
    Alert = 14,
    /// A clock.
    Clock = 15,
    /// `local0`, for what a site chooses; so are the others.
    Local0 = 16,
    /// `local1`.
    Local1 = 17,
    /// `local2`.
    Local2 = 18,
    /// `local3`.
    Local3 = 19,
    /// `local4`.
    Local4 = 20,
    /// `local5`.
    Local5 = 21,
    /// `local6`.
    Local6 = 22,
    /// `local7`.
    Local7 = 23,
}

/// How a stream is taken apart into messages.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum SyslogFraming {
    /// The length goes before each message (RFC 5425, 4.3; RFC 6587, 3.4.1): all of a message stays as it is, and
    /// one that was cut off is known as such. The default over TCP and TLS.
    OctetCounting,
    /// A line feed goes behind each message (RFC 6587, 3.4.2), for receivers that count no octets. Within a message
    /// a space stands for it.
    LineFeed,
    /// A NUL goes behind each message, as the C library does on a local socket. The default there.
    Nul,
}
