//! What of a request and a response is gRPC.

use std::fmt;

use http::{HeaderMap, StatusCode, header::CONTENT_TYPE, uri::PathAndQuery};

use super::names::{self, Name};
use crate::bundle::GrpcCode;

/// Whether the headers are those of a gRPC request: `application/grpc`, with or without what is in its
/// messages (`+proto`). That of `application/grpc-web` is in its body, so it counts as HTTP.
pub(super) fn is_grpc(headers: &HeaderMap) -> bool {
    let Some(content) = headers.get(CONTENT_TYPE) else { return false };
    match content.as_bytes().strip_prefix(b"application/grpc") {
        Some(rest) => rest.first().is_none_or(|next| matches!(next, b'+' | b';')),
        None => false,
    }
}

/// The status in headers or trailers.
pub(super) fn code_in(headers: &HeaderMap) -> Option<GrpcCode> {
    let text = headers.get("grpc-status")?.to_str().unwrap_or_default();
    Some(GrpcCode::from(text.parse::<i32>().unwrap_or(-1)))
}

/// The status of a response that has none, as gRPC's clients make it up.
pub(super) fn code_of(status: StatusCode) -> GrpcCode {
    match status.as_u16() {
        400 => GrpcCode::Internal,
        401 => GrpcCode::Unauthenticated,
        403 => GrpcCode::PermissionDenied,
        404 => GrpcCode::Unimplemented,
        429 | 502..=504 => GrpcCode::Unavailable,
        _ => GrpcCode::Unknown,
    }
}

/// The full name of a method: `package.Service/Method`.
#[derive(Clone)]
pub(super) enum MethodName {
    /// One that was answered before.
    Known(&'static Name),
    /// One that anybody may have made up.
    New(Option<PathAndQuery>),
}

impl MethodName {
    pub(super) fn new(path: Option<&PathAndQuery>) -> Self {
        let new = Self::New(path.cloned());
        names::find("", new.as_str()).map_or(new, Self::Known)
    }

    pub(super) fn as_str(&self) -> &str {
        match self {
            Self::Known(name) => name.as_str(),
            Self::New(path) => {
                let path = path.as_ref().map_or("", PathAndQuery::path);
                path.strip_prefix('/').unwrap_or(path)
            }
        }
    }

    /// Remembers the name, which a server was found to have.
    pub(super) fn remember(&self) {
        if let Self::New(_) = self {
            names::intern("", self.as_str());
        }
    }
}

impl fmt::Debug for MethodName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.as_str().fmt(f)
    }
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    #[test]
    fn grpc_is_known_by_its_content_type() {
        for (content, expected) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;x=y", true),
            ("application/grpc-web", false),
            ("application/grpc-web+proto", false),
            ("application/json", false),
            ("", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content));
            assert_eq!(is_grpc(&headers), expected, "{content}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }

    #[test]
    fn a_status_is_read_and_what_is_none_is_unknown() {
        let of = |value| {
            let mut headers = HeaderMap::new();
            headers.insert("grpc-status", HeaderValue::from_bytes(value).unwrap());
            code_in(&headers)
        };
        assert_eq!(of(b"0"), Some(GrpcCode::Ok));
        assert_eq!(of(b"16"), Some(GrpcCode::Unauthenticated));
        for odd in [&b"17"[..], b"", b"OK", b"-1", b"99999999999", b"\xff"] {
            assert_eq!(of(odd), Some(GrpcCode::Unknown));
        }
        assert_eq!(code_in(&HeaderMap::new()), None);
        for (status, code) in [
            (400, "INTERNAL"),
            (401, "UNAUTHENTICATED"),
            (403, "PERMISSION_DENIED"),
            (404, "UNIMPLEMENTED"),
            (429, "UNAVAILABLE"),
            (503, "UNAVAILABLE"),
            (200, "UNKNOWN"),
            (500, "UNKNOWN"),
        ] {
            assert_eq!(code_of(StatusCode::from_u16(status).unwrap()).as_str(), code);
        }
    }

    #[test]
    fn a_method_is_the_path_without_its_slash_and_is_remembered_once_it_is_known() {
        let path = PathAndQuery::from_static("/grpc.test.Orders/Get?x=1");
        let new = MethodName::new(Some(&path));
        assert_eq!(new.as_str(), "grpc.test.Orders/Get");
        assert!(matches!(MethodName::new(Some(&path)), MethodName::New(_)));
        new.remember();
        let known = MethodName::new(Some(&path));
        assert!(matches!(known, MethodName::Known(_)) && known.as_str() == new.as_str());
        assert_eq!(MethodName::new(None).as_str(), "");
    }
}
