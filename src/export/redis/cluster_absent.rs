//! No clusters without the feature `redis-cluster`.

use ::redis::{ConnectionInfo, ErrorKind, Pipeline, RedisError, RedisResult, Value};

use super::options::Options;

/// Nothing.
pub(super) enum Link {}

impl Link {
    pub(super) async fn send(&mut self, _: &Pipeline) -> RedisResult<Vec<RedisResult<Value>>> {
        match *self {}
    }
}

pub(super) async fn connect(_: Vec<ConnectionInfo>, _: &Options) -> Result<Link, RedisError> {
    Err((ErrorKind::InvalidClientConfig, "no clusters without the feature `redis-cluster`").into())
}
