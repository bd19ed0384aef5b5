//! A cluster of Redis servers.

use std::time::{Duration, Instant};

use tokio::time::sleep;

use super::{Certificates, HarnessError, RedisServer, port::free_port, redis::AT_ONCE};

/// How many primaries there are: fewer make no cluster.
const PRIMARIES: u16 = 3;

/// How many slots there are.
const SLOTS: u16 = 16_384;

/// How long the nodes may take to find each other.
const PATIENCE: Duration = Duration::from_secs(20);

/// How soon they are asked again.
const LOOK: Duration = Duration::from_millis(50);

/// Three primaries that share the slots, in equal ranges and in order.
#[derive(Debug)]
pub struct RedisCluster {
    nodes: Vec<RedisServer>,
}

impl RedisCluster {
    /// Starts one, each node with `arguments` besides those of every [`RedisServer`].
    ///
    /// # Errors
    ///
    /// Those of [`RedisServer::start`]; when the nodes do not find each other.
    pub async fn start_with(arguments: &[&str]) -> Result<Self, HarnessError> {
        Self::start_each(|_| arguments.iter().map(ToString::to_string).collect()).await
    }

    /// Starts one that speaks TLS as well, and returns its address in TLS.
    ///
    /// # Errors
    ///
    /// Those of [`start_with`](Self::start_with).
    pub async fn start_tls(certificates: &Certificates) -> Result<(Self, String), HarnessError> {
        let mut hosts = Vec::new();
        let cluster = Self::start_each(|port| {
            hosts.push(format!("127.0.0.1:{port}"));
            // Without the last, they would tell each other's plain ports.
            [certificates.of_redis(port, true), ["--tls-cluster", "yes"].map(str::to_owned).into()].concat()
        });
        let cluster = cluster.await?;
        Ok((cluster, format!("rediss-cluster://{}", hosts.join(","))))
    }

    /// Starts one, each node with the arguments made for it, for which there is a port to be had.
    async fn start_each(mut arguments: impl FnMut(u16) -> Vec<String>) -> Result<Self, HarnessError> {
        let mut nodes = Vec::new();
        for number in 0..PRIMARIES {
            let port = free_port().map_err(HarnessError::system("find a free port"))?;
            let (node, bus) = start(arguments(port)).await?;
            let first = number * (SLOTS / PRIMARIES);
            let last = if number + 1 == PRIMARIES { SLOTS } else { first + SLOTS / PRIMARIES } - 1;
            node.command(&format!("CLUSTER ADDSLOTSRANGE {first} {last}"))?;
            nodes.push((node, bus));
        }
        if let Some(((first, _), others)) = nodes.split_first() {
            for (node, bus) in others {
                first.command(&format!("CLUSTER MEET 127.0.0.1 {} {bus}", node.port()))?;
            }
        }
        let cluster = Self { nodes: nodes.into_iter().map(|(node, _)| node).collect() };
        cluster.formed().await?;
        Ok(cluster)
    }

    /// Adds a replica of a node, and waits until it is in sync.
    ///
    /// # Errors
    ///
    /// Those of [`RedisServer::start`]; when it does not come into sync.
    pub async fn add_replica(&self, of: usize) -> Result<RedisServer, HarnessError> {
        let primary = &self.nodes[of];
        let (replica, bus) = start(Vec::new()).await?;
        for node in &self.nodes {
            node.command(&format!("CLUSTER MEET 127.0.0.1 {} {bus}", replica.port()))?;
        }
        let known = format!("CLUSTER COUNT-FAILURE-REPORTS {}", replica.text("CLUSTER MYID")?);
        let replicate = format!("CLUSTER REPLICATE {}", primary.text("CLUSTER MYID")?);
        // One that has not heard of the primary's slots would never stand for its place.
        until(|| Ok(knows_all(&replica)), "tell a node who has which slots").await?;
        until(|| Ok(replica.command(&replicate).is_ok()), "let a node become a replica").await?;
        until(|| Ok(self.nodes.iter().all(|node| node.command(&known).is_ok())), "know a replica").await?;
        until(|| primary.is_replicated(), "get a replica in sync").await?;
        Ok(replica)
    }

    /// The nodes, those with lower slots first.
    pub fn nodes(&mut self) -> &mut [RedisServer] {
        &mut self.nodes
    }

    /// Its address, for `QUEUE_URL`.
    #[must_use]
    pub fn url(&self) -> String {
        let hosts: Vec<String> = self.nodes.iter().map(|node| format!("127.0.0.1:{}", node.port())).collect();
        format!("redis-cluster://{}", hosts.join(","))
    }

    /// Waits until each node knows who has which slots.
    async fn formed(&self) -> Result<(), HarnessError> {
        until(|| Ok(self.nodes.iter().all(knows_all)), "form").await
    }
}

/// Starts a node, which knows of no other, and returns the port of its bus as well.
async fn start(arguments: Vec<String>) -> Result<(RedisServer, String), HarnessError> {
    let bus = free_port().map_err(HarnessError::system("find a free port"))?.to_string();
    let own = ["--cluster-enabled", "yes", "--cluster-node-timeout", "2000", "--cluster-port", &bus];
    let node =
        RedisServer::start_with([&own, &AT_ONCE[..]].concat().into_iter().map(str::to_owned).chain(arguments)).await?;
    Ok((node, bus))
}

async fn until(done: impl Fn() -> Result<bool, HarnessError>, what: &str) -> Result<(), HarnessError> {
    let deadline = Instant::now() + PATIENCE;
    while !done()? {
        if Instant::now() > deadline {
            let (name, what) = ("a cluster of redis-server".to_owned(), what.to_owned());
            return Err(HarnessError::TooSlow { name, what, within: PATIENCE, said: String::new() });
        }
        sleep(LOOK).await;
    }
    Ok(())
}

/// Whether a node knows who has which slots.
fn knows_all(node: &RedisServer) -> bool {
    // These keys have slots in the first, the second and the third range.
    ["b", "c", "a"].iter().all(|key| knows(node, key))
}

/// Whether a node has the key's slot, or knows who has.
fn knows(node: &RedisServer, key: &str) -> bool {
    match node.command(&format!("EXISTS {key}")) {
        Ok(_) => true,
        Err(HarnessError::System { source, .. }) => source.to_string().starts_with("MOVED"),
        Err(_) => false,
    }
}
