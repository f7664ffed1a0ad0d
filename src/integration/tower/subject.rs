//! What a request is one of, and the bundle that records it.

use http::{StatusCode, uri::Authority};

use super::{grpc::MethodName, names::Name};
use crate::{
    bundle::{
        GrpcClient, GrpcCode, GrpcExchange, GrpcServer, HttpClient, HttpExchange, HttpServer,
        Method, Scheme,
    },
    integration::http::bare_host,
    metric::Held,
    trace::Filling,
};

static HTTP: HttpServer = HttpServer::new();
static HTTPS: HttpServer = HttpServer::new().scheme(Scheme::Https);
static HTTP_OUT: HttpClient = HttpClient::new();
static GRPC: GrpcServer = GrpcServer::new();
static GRPC_OUT: GrpcClient = GrpcClient::new();

/// What a request is one of.
#[derive(Debug)]
pub(super) enum Subject {
    Served { method: Method, scheme: Scheme, route: Route },
    Answered(MethodName),
    Sent { method: Method, host: Host },
    Called { method: MethodName, host: Host },
}

/// Where a request was routed to.
#[derive(Debug)]
pub(super) enum Route {
    /// Nobody was asked.
    Unknown,
    Unmatched,
    Named(&'static Name),
    /// One that the table of names has no room for.
    Other(Box<str>),
}

/// Where a request is sent to, as far as it is known.
#[derive(Clone, Debug, Default)]
pub(super) struct Host {
    pub(super) authority: Option<Authority>,
    pub(super) port: u16, // 0 if it is not known.
}

/// What only HTTP has of an exchange that is over.
pub(super) struct HttpAnswer {
    pub(super) status: Option<u16>,
    pub(super) request_bytes: Option<u64>,
    pub(super) response_bytes: Option<u64>,
}

impl Subject {
    pub(super) fn is_grpc(&self) -> bool {
        matches!(self, Self::Answered(_) | Self::Called { .. })
    }

    pub(super) fn is_client(&self) -> bool {
        matches!(self, Self::Sent { .. } | Self::Called { .. })
    }

    /// The method of an HTTP request.
    pub(super) fn method(&self) -> Option<Method> {
        match self {
            Self::Served { method, .. } | Self::Sent { method, .. } => Some(*method),
            Self::Answered(_) | Self::Called { .. } => None,
        }
    }

    /// Whether its status says that it failed.
    pub(super) fn is_error(&self, status: Option<StatusCode>, code: Option<GrpcCode>) -> bool {
        let status = status.map_or(0, |status| status.as_u16());
        match self {
            Self::Served { .. } => status >= 500,
            Self::Sent { .. } => status >= 400,
            Self::Answered(_) => code.is_some_and(GrpcCode::is_server_error),
            Self::Called { .. } => code.is_some_and(|code| code != GrpcCode::Ok),
        }
    }

    /// Counts it as in flight.
    pub(super) fn hold(&self) -> Held {
        match self {
            Self::Served { method, scheme, .. } => server(*scheme).hold(*method),
            Self::Answered(_) => GRPC.hold(),
            Self::Sent { method, host } => HTTP_OUT.hold(*method, host.name(), host.port),
            Self::Called { host, .. } => GRPC_OUT.hold(host.name(), host.port),
        }
    }

    /// Records that it is over.
    pub(super) fn record(
        &self,
        seconds: f64,
        answer: &HttpAnswer,
        code: Option<GrpcCode>,
        error: Option<&str>,
    ) {
        let http = |method| HttpExchange {
            method,
            status: answer.status,
            error,
            seconds,
            request_bytes: answer.request_bytes,
            response_bytes: answer.response_bytes,
        };
        match self {
            Self::Served { method, scheme, route } => {
                let (server, over) = (server(*scheme), http(*method));
                match route {
                    Route::Unknown => server.record_again("", &over),
                    Route::Unmatched => server.record_again("unmatched", &over),
                    Route::Named(name) => server.record_again(name.text(), &over),
                    Route::Other(route) => server.record(route, &over),
                }
            }
            Self::Sent { method, host } => {
                HTTP_OUT.record(host.name(), host.port, &http(*method));
            }
            Self::Answered(name) => {
                let is_own = code.is_some_and(|code| code != GrpcCode::Unimplemented);
                let method = match code {
                    Some(GrpcCode::Unimplemented) => OTHER,
                    _ => name.as_str(),
                };
                GRPC.record(&GrpcExchange { method, code, error, seconds });
                if is_own {
                    name.remember();
                }
            }
            Self::Called { method: name, host } => {
                let method = name.as_str();
                let call = GrpcExchange { method, code, error, seconds };
                GRPC_OUT.record(host.name(), host.port, &call);
                name.remember();
            }
        }
    }

    /// Names a call of a method that the server does not have as the conventions say.
    pub(super) fn disown(&self, span: &mut Filling<'_>, code: GrpcCode) {
        if let (Self::Answered(method), GrpcCode::Unimplemented) = (self, code) {
            span.name("grpc");
            span.text("rpc.method_original", method.as_str());
            span.fixed("rpc.method", OTHER);
        }
    }
}

/// A method that the server does not have.
const OTHER: &str = "_OTHER";

fn server(scheme: Scheme) -> &'static HttpServer {
    match scheme {
        Scheme::Http => &HTTP,
        Scheme::Https => &HTTPS,
    }
}

impl Host {
    pub(super) fn new(authority: Option<Authority>, scheme: Option<&str>) -> Self {
        let of_scheme = match scheme {
            Some("http") => 80,
            Some("https") => 443,
            _ => 0,
        };
        let port = authority.as_ref().map_or(0, |host| host.port_u16().unwrap_or(of_scheme));
        Self { authority, port }
    }

    /// The name or the address, without the brackets of one of version 6.
    pub(super) fn name(&self) -> &str {
        bare_host(self.authority.as_ref().map_or("", Authority::host))
    }
}
