//! Where the store is, and of which kind: what `QUEUE_URL` says.

use std::time::Duration;

use redis::{
    AsyncConnectionConfig, Client, ConnectionAddr, ConnectionInfo, IntoConnectionInfo as _, RedisError, RedisResult,
    aio::MultiplexedConnection, cluster::ClusterClientBuilder, io::tcp::TcpSettings,
};
use tokio::time::timeout;

use super::{sentinel::Sentinels, tls::Files, wire::Wire};
use crate::{queue::QueueError, tls};

/// How long connecting to one server may take, TLS and password included.
const CONNECT_TIMEOUT: Duration = Duration::from_millis(750);

/// How long connecting may take altogether: twice that, for the sentinels and the primary that they name, or the nodes of a cluster
/// that were named and those that it has; and a little.
const DIAL_TIMEOUT: Duration = Duration::from_millis(1600);

/// How long sent bytes may go unacknowledged before the kernel ends the connection.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(3);

/// How often a cluster's client tries a command: it is sent to another node while slots move, or after a failover. All
/// tries together may take no longer than one.
const CLUSTER_RETRIES: u32 = 3;

/// The longest pause between those tries, in milliseconds.
const CLUSTER_PAUSE_MS: u64 = 200;

/// The port of a sentinel that is named without one.
const SENTINEL_PORT: u16 = 26379;

/// Where the store is.
#[derive(Clone, Debug)]
pub(super) struct Server {
    kind: Kind,
    /// Of TLS alone.
    files: Option<Files>,
}

#[derive(Clone, Debug)]
enum Kind {
    /// One server, whatever becomes of it.
    Single(ConnectionInfo),
    /// The server that sentinels say is the primary, asked anew for each connection.
    Sentinel(Sentinels),
    /// A cluster, by some of its nodes.
    Cluster(Vec<ConnectionInfo>),
}

impl Server {
    /// Reads `QUEUE_URL`. The error never quotes it, for it may hold a password.
    pub(super) fn parse(url: &str, files: Files) -> Result<Self, QueueError> {
        let (scheme, rest) = url.split_once("://").unwrap_or_default();
        let kind = match scheme {
            "redis+sentinel" | "rediss+sentinel" => Kind::Sentinel(sentinels(scheme, rest)?),
            "redis-cluster" | "rediss-cluster" => Kind::Cluster(Parts::of(rest).nodes(scheme)?),
            _ => Kind::Single(node(url)?),
        };
        let addresses: Vec<&ConnectionAddr> = match &kind {
            Kind::Single(node) => vec![node.addr()],
            Kind::Sentinel(sentinels) => sentinels.nodes.iter().map(ConnectionInfo::addr).collect(),
            Kind::Cluster(nodes) => nodes.iter().map(ConnectionInfo::addr).collect(),
        };
        if addresses.iter().any(|addr| matches!(addr, ConnectionAddr::TcpTls { insecure: true, .. })) {
            return Err(invalid("#insecure is not supported; name the authority with QUEUE_CA_FILE"));
        }
        if !addresses.iter().any(|addr| matches!(addr, ConnectionAddr::TcpTls { .. })) {
            files.refuse()?;
            return Ok(Self { kind, files: None });
        }
        tls::choose_cryptography();
        let certificates = files.load()?;
        let setting = |error: RedisError| invalid(&format!("its files for TLS cannot be used: {error}"));
        Client::build_with_tls("rediss://any", certificates).map_err(setting)?;
        Ok(Self { kind, files: Some(files) })
    }

    /// Whether the keys of different pools may be on different servers.
    pub(super) fn is_cluster(&self) -> bool {
        matches!(self.kind, Kind::Cluster(_))
    }

    /// Makes a connection whose every command is to be answered within `response_timeout`.
    pub(super) async fn connect(&self, response_timeout: Duration) -> RedisResult<Wire> {
        match timeout(DIAL_TIMEOUT, self.dial(response_timeout)).await {
            Ok(connected) => connected,
            Err(_elapsed) => Err(std::io::Error::from(std::io::ErrorKind::TimedOut).into()),
        }
    }

    async fn dial(&self, response_timeout: Duration) -> RedisResult<Wire> {
        let files = self.files.as_ref();
        match &self.kind {
            Kind::Single(node) => open(node.clone(), files, response_timeout).await.map(Wire::Node),
            Kind::Sentinel(sentinels) => sentinels.primary(files, response_timeout).await.map(Wire::Node),
            Kind::Cluster(nodes) => {
                let mut cluster = ClusterClientBuilder::new(nodes.clone())
                    .connection_timeout(CONNECT_TIMEOUT)
                    .response_timeout(response_timeout)
                    .retries(CLUSTER_RETRIES)
                    .max_retry_wait(CLUSTER_PAUSE_MS)
                    .tcp_settings(tcp());
                if let Some(files) = files {
                    cluster = cluster.certs(files.for_connection()?);
                }
                cluster.build()?.get_async_connection().await.map(Wire::Cluster)
            }
        }
    }
}

/// Connects to one server.
pub(super) async fn open(
    node: ConnectionInfo,
    files: Option<&Files>,
    response_timeout: Duration,
) -> RedisResult<MultiplexedConnection> {
    let client = match files {
        None => Client::open(node)?,
        Some(files) => Client::build_with_tls(node, files.for_connection()?)?,
    };
    let config = AsyncConnectionConfig::new()
        .set_connection_timeout(Some(CONNECT_TIMEOUT))
        .set_response_timeout(Some(response_timeout));
    client.get_multiplexed_async_connection_with_config(&config).await
}

/// The same everywhere.
pub(super) fn tcp() -> TcpSettings {
    TcpSettings::default().set_nodelay(true).set_user_timeout(UNACKNOWLEDGED_MAX)
}

/// A URL of several servers, after its scheme: `[USER:PASSWORD@]HOST[:PORT],HOST[:PORT][/PATH][?QUERY]`.
struct Parts<'a> {
    /// With its `@`.
    login: &'a str,
    hosts: Vec<&'a str>,
    path: &'a str,
    query: &'a str,
}

impl<'a> Parts<'a> {
    fn of(rest: &'a str) -> Self {
        let (rest, query) = rest.split_once('?').unwrap_or((rest, ""));
        let (authority, path) = rest.split_once('/').unwrap_or((rest, ""));
        let (login, hosts) = authority.split_at(authority.rfind('@').map_or(0, |at| at + 1));
        Self { login, hosts: hosts.split(',').collect(), path, query }
    }

    /// Each of the servers, as the library reads it.
    fn nodes(&self, scheme: &str) -> Result<Vec<ConnectionInfo>, QueueError> {
        if self.query.is_empty() && self.path.is_empty() {
            return self.hosts.iter().map(|host| node(&format!("{}://{}{host}", plain(scheme), self.login))).collect();
        }
        Err(invalid("nothing may follow the hosts of a cluster"))
    }
}

fn sentinels(scheme: &str, rest: &str) -> Result<Sentinels, QueueError> {
    let parts = Parts::of(rest);
    let (name, database) = parts.path.split_once('/').unwrap_or((parts.path, ""));
    if name.is_empty() {
        return Err(invalid("the name that the sentinels know the primary by is missing: …/NAME"));
    }
    let (mut user, mut password) = (None, None);
    for (parameter, value) in form_urlencoded::parse(parts.query.as_bytes()) {
        match parameter.as_ref() {
            "sentinel_user" => user = Some(value.into_owned()),
            "sentinel_password" => password = Some(value.into_owned()),
            _ => return Err(invalid("only sentinel_user and sentinel_password may follow the question mark")),
        }
    }
    let scheme = plain(scheme);
    let mut nodes = Vec::new();
    for host in &parts.hosts {
        let has_port = host.rsplit_once(':').is_some_and(|(_, port)| port.parse::<u16>().is_ok());
        let port = if has_port { String::new() } else { format!(":{SENTINEL_PORT}") };
        let node = node(&format!("{scheme}://{host}{port}"))?;
        let mut login = node.redis_settings().clone();
        if let Some(user) = &user {
            login = login.set_username(user);
        }
        if let Some(password) = &password {
            login = login.set_password(password);
        }
        nodes.push(node.set_redis_settings(login));
    }
    // The host is nobody's: which it is, the sentinels say.
    let primary = node(&format!("{scheme}://{}primary/{database}", parts.login))?;
    Ok(Sentinels { nodes, name: name.to_owned(), primary })
}

/// The scheme of one server.
fn plain(scheme: &str) -> &'static str {
    if scheme.starts_with("rediss") { "rediss" } else { "redis" }
}

fn node(url: &str) -> Result<ConnectionInfo, QueueError> {
    let info = url.into_connection_info().map_err(|error| invalid(&error.to_string()))?;
    // It would tell the store the library's name, which not every user may do.
    let login = info.redis_settings().clone().set_skip_set_lib_name();
    Ok(info.set_tcp_settings(tcp()).set_redis_settings(login))
}

fn invalid(problem: &str) -> QueueError {
    QueueError::Setting { setting: "QUEUE_URL", problem: problem.to_owned() }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(url: &str) -> Result<String, String> {
        let server = Server::parse(url, Files::default()).map_err(|error| error.to_string())?;
        let shown = |nodes: &[ConnectionInfo]| nodes.iter().map(|node| node.addr().to_string()).collect::<Vec<_>>();
        Ok(match &server.kind {
            Kind::Single(node) => shown(std::slice::from_ref(node)).join(","),
            Kind::Cluster(nodes) => format!("cluster {}", shown(nodes).join(",")),
            Kind::Sentinel(Sentinels { nodes, name, primary }) => {
                let (of, login) = (nodes[0].redis_settings(), primary.redis_settings());
                let (user, password) = (login.username(), login.password());
                format!("{} {name} {} {user:?} {password:?} {:?}", shown(nodes).join(","), login.db(), of.password())
            }
        })
    }

    #[test]
    fn every_form_of_an_address_is_read() {
        for (url, read) in [
            ("redis://h", "h:6379"),
            ("rediss://u:p@h:1/2", "h:1"),
            ("redis-cluster://u:p@a:1,b", "cluster a:1,b:6379"),
            ("redis+sentinel://a,[::1]:7,c:8/main", "a:26379,::1:7,c:8 main 0 None None None"),
            ("rediss+sentinel://u:p%40@a:1/main/2", "a:1 main 2 Some(\"u\") Some(\"p@\") None"),
            ("redis+sentinel://:p@a/m?sentinel_password=s%26", "a:26379 m 0 None Some(\"p\") Some(\"s&\")"),
        ] {
            assert_eq!(parse(url).as_deref(), Ok(read), "{url}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_without_quoting_it() {
        for url in [
            "htp://u:hush@h",
            "u:hush@h",
            "redis-cluster://u:hush@a,,b",
            "redis-cluster://u:hush@a/x",
            "redis-cluster://u:hush@a?hush",
            "redis+sentinel://u:hush@a",
            "redis+sentinel://u:hush@a:hush/main",
            "redis+sentinel://u:hush@a/main/hush",
            "redis+sentinel://u:hush@a/main?hush=1",
            "rediss://u:hush@a#insecure",
            "rediss-cluster://u:hush@a,b#insecure",
        ] {
            let error = parse(url).unwrap_err();
            assert!(error.starts_with("QUEUE_URL: ") && !error.contains("hush"), "{url}: {error}");
        }
    }

    #[test]
    fn files_for_tls_are_refused_where_they_would_not_be_used_or_cannot_be() {
        let with = |url: &str, ca: Option<&str>, cert: Option<&str>| {
            let config = crate::queue::QueueConfig {
                ca_file: ca.map(Into::into),
                cert_file: cert.map(Into::into),
                ..Default::default()
            };
            Files::new(&config).and_then(|files| Server::parse(url, files)).unwrap_err().to_string()
        };
        assert!(with("redis://h", Some("Cargo.toml"), None).starts_with("QUEUE_CA_FILE: is set, and QUEUE_URL"));
        assert!(with("rediss://h", Some("Cargo.toml"), None).starts_with("QUEUE_CA_FILE: has no certificate"));
        assert!(with("rediss-cluster://h", Some("none"), None).starts_with("QUEUE_CA_FILE: cannot read none"));
        assert!(with("rediss://h", None, Some("none")).starts_with("QUEUE_CERT_FILE: is set without"));
    }
}
