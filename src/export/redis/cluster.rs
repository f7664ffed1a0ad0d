//! Connections to the nodes of a cluster.

use std::time::Duration;

use ::redis::{
    ConnectionInfo, Pipeline, RedisError, RedisResult, Value,
    cluster::{ClusterClient, ClusterClientBuilder},
    cluster_async::ClusterConnection,
};

use super::options::Options;

/// Connections to nodes, of which the client knows which has what.
pub(super) struct Link(ClusterConnection);

/// How often the client follows a slot that moved. All else is tried again by the pipeline.
const REDIRECTIONS: u32 = 3;

/// Longer than any attempt, whose deadline is the limit.
const LONG: Duration = Duration::from_secs(86_400);

impl Link {
    pub(super) async fn send(
        &mut self,
        commands: &Pipeline,
    ) -> RedisResult<Vec<RedisResult<Value>>> {
        commands.query_async(&mut self.0).await
    }
}

pub(super) async fn connect(
    servers: Vec<ConnectionInfo>,
    options: &Options,
) -> Result<Link, RedisError> {
    let mut builder: ClusterClientBuilder = ClusterClient::builder(servers);
    builder = builder.retries(REDIRECTIONS).connection_timeout(LONG).response_timeout(LONG);
    if let Some(certificates) = options.certificates() {
        builder = builder.certs(certificates);
    }
    builder.build()?.get_async_connection().await.map(Link)
}
