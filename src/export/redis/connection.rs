//! A connection to a server or a cluster, and what drives it.

use ::redis::{
    AsyncConnectionConfig, Client, ConnectionInfo, Pipeline, RedisError, RedisResult, Value,
    aio::MultiplexedConnection,
};

use super::{
    cluster,
    options::{Options, is_tls},
};
use crate::{
    clock::Deadline,
    transport::{crypto, driver::Driver},
};

/// A connection; after an error it is of no more use. It sends and reads nothing but during a call.
pub(super) struct Connection {
    link: Link,
    driver: Driver,
}

enum Link {
    Server(MultiplexedConnection),
    Cluster(cluster::Link),
}

/// What each command of a pipeline was answered.
pub(super) type Answers = Vec<RedisResult<Value>>;

impl Connection {
    /// Connects until the deadline. An error says why not.
    pub(super) fn open(options: &Options, deadline: &Deadline) -> Result<Self, String> {
        let servers = options.servers()?;
        if servers.iter().any(is_tls) {
            crypto::ensure();
        }
        let driver = Driver::new()?;
        let link = driver.run(deadline.instant(), deadline, async {
            match options.is_cluster {
                true => cluster::connect(servers, options).await.map(Link::Cluster),
                false => connect(servers, options).await.map(Link::Server),
            }
        });
        let link = link.ok_or("no connection in time")?;
        Ok(Self { link: link.map_err(|error| error.to_string())?, driver })
    }

    /// Sends all commands in one round trip, and waits for their answers until the deadline.
    pub(super) fn send(
        &mut self,
        commands: &Pipeline,
        deadline: &Deadline,
    ) -> Result<Answers, String> {
        let Self { link, driver } = self;
        let answers = driver.run(deadline.instant(), deadline, async {
            match link {
                Link::Server(server) => commands.query_async(server).await,
                Link::Cluster(cluster) => cluster.send(commands).await,
            }
        });
        let answers: RedisResult<Answers> = answers.ok_or("no answer in time")?;
        let answers = answers.map_err(|error| error.to_string())?;
        match answers.len() == commands.len() {
            true => Ok(answers),
            false => Err("another number of answers than of commands".to_owned()),
        }
    }
}

async fn connect(
    servers: Vec<ConnectionInfo>,
    options: &Options,
) -> Result<MultiplexedConnection, RedisError> {
    // The deadline is the limit of all.
    let config = AsyncConnectionConfig::new();
    let config = config.set_connection_timeout(None).set_response_timeout(None);
    let Some(server) = servers.into_iter().next() else {
        return Err(RedisError::from((::redis::ErrorKind::InvalidClientConfig, "no server")));
    };
    let client = match options.certificates() {
        Some(certificates) if is_tls(&server) => Client::build_with_tls(server, certificates)?,
        _ => Client::open(server)?,
    };
    client.get_multiplexed_async_connection_with_config(&config).await
}
