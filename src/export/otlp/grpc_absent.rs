//! Stands in for gRPC where the feature `otlp-grpc` is not on: an environment may ask for it nevertheless.

use super::{signal::Names, target::Target};
use crate::{
    error::{Error, ErrorKind},
    pipeline::{Deadline, ExportError, Payload, SendResult, Sender, Setup},
};

/// An error of the start.
#[derive(Debug)]
pub(super) struct GrpcSender;

impl GrpcSender {
    pub(super) fn new(_target: &Target, _names: &'static Names) -> Self {
        Self
    }
}

const MESSAGE: &str = "OTLP by gRPC needs the feature `otlp-grpc`";

impl Sender for GrpcSender {
    fn start(&mut self, _setup: &Setup) -> Result<(), Error> {
        Err(Error::new(ErrorKind::InvalidOption, MESSAGE))
    }

    fn send(&mut self, _payload: &Payload, _deadline: &Deadline) -> SendResult {
        Err(ExportError::reject(MESSAGE))
    }

    fn name(&self) -> &str {
        "otlp"
    }
}
