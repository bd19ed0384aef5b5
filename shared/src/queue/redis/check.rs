//! Whether the store is one that the queue can use, and whether it keeps what it is given.

use redis::{ErrorKind, ParsingError, RedisError, RedisResult, ServerErrorKind, Value, cmd, from_redis_value};
use tracing::debug;

use super::wire::Wire;
use crate::{queue::ServerFacts, telemetry::chain};

/// The first version whose scripts say what may be done when memory is full. Valkey goes by Redis' 7.2.
const VERSION_LEAST: (u32, u32) = (7, 0);

/// What a store says of itself (`INFO`).
struct Info<'a>(&'a str);

impl<'a> Info<'a> {
    fn get(&self, name: &str) -> Option<&'a str> {
        self.0.lines().find_map(|line| line.trim_end().strip_prefix(name)?.strip_prefix(':'))
    }

    /// Why it is none that the queue can use, if it is none. What it does not say is taken to be right.
    fn unsuitable(&self, as_cluster: bool) -> Option<String> {
        let version = self.get("redis_version").unwrap_or_default();
        let mut numbers = version.split('.').map_while(|number| number.parse().ok());
        if let (Some(major), minor) = (numbers.next(), numbers.next().unwrap_or(0))
            && (major, minor) < VERSION_LEAST
        {
            return Some(format!("it is Redis {version}, and the queue needs 7.0 or later, or Valkey"));
        }
        // Valkey's own name for it is the second.
        match self.get("redis_mode").or(self.get("server_mode")) {
            Some("sentinel") => Some("it is a sentinel; QUEUE_URL begins with redis+sentinel for those".to_owned()),
            Some("cluster") if !as_cluster => {
                Some("it is a node of a cluster; QUEUE_URL begins with redis-cluster for those".to_owned())
            }
            _ => None,
        }
    }

    /// What may lose jobs.
    fn warnings(&self) -> Vec<String> {
        let mut warnings = Vec::new();
        if let Some(policy) = self.get("maxmemory_policy")
            && policy != "noeviction"
        {
            warnings.push(format!(
                "maxmemory-policy is {policy}: when its memory is full, it throws jobs away; set it to noeviction"
            ));
        }
        if self.get("aof_enabled") == Some("0") {
            warnings.push(
                "appendonly is off: jobs that were acknowledged are lost when it ends abruptly; set it to yes"
                    .to_owned(),
            );
        }
        warnings
    }
}

/// Looks at a store that was just connected to.
///
/// # Errors
///
/// Of the kind [`ErrorKind::InvalidClientConfig`], with the reason in its details, when it is none that the queue can use.
pub(super) async fn admit(wire: &mut Wire) -> RedisResult<()> {
    let as_cluster = matches!(wire, Wire::Cluster(_));
    for (node, info) in told(cmd("INFO").query_async(wire).await)? {
        if let Some(reason) = Info(&info).unsuitable(as_cluster) {
            return Err((ErrorKind::InvalidClientConfig, "unsuitable", of(&node, &reason)).into());
        }
    }
    Ok(())
}

/// What each primary says of itself, by the primary's name; a server that stands alone has none. A store that does not let us
/// ask tells nothing: users of managed ones often may not.
pub(super) fn told(answer: Result<Value, RedisError>) -> RedisResult<Vec<(String, String)>> {
    match answer {
        Ok(Value::Map(nodes)) => {
            let text = |(node, info)| Ok((from_redis_value(node)?, from_redis_value(info)?));
            let mut nodes: Vec<(String, String)> = nodes.into_iter().map(text).collect::<Result<_, ParsingError>>()?;
            nodes.sort();
            Ok(nodes)
        }
        Ok(info) => Ok(vec![(String::new(), from_redis_value(info)?)]),
        Err(error) if error.kind() == ErrorKind::Server(ServerErrorKind::NoPerm) => {
            debug!(error = %chain(&error), "The queue's store does not tell what it is");
            Ok(Vec::new())
        }
        Err(error) => Err(error),
    }
}

/// Says of which node of a cluster it is.
fn of(node: &str, text: &str) -> String {
    if node.is_empty() { text.to_owned() } else { format!("{node}: {text}") }
}

/// What may lose jobs, a line each.
pub(super) fn warnings(node: &str, info: &str) -> Vec<String> {
    Info(info).warnings().iter().map(|line| of(node, line)).collect()
}

/// What a server says of itself.
pub(super) fn facts(node: String, info: &str) -> ServerFacts {
    let info = Info(info);
    // Valkey says which Redis it passes for, too.
    let product = match (info.get("valkey_version"), info.get("redis_version")) {
        (Some(version), _) => format!("Valkey {version}"),
        (None, Some(version)) => format!("Redis {version}"),
        (None, None) => "of an unknown version".to_owned(),
    };
    ServerFacts {
        node,
        product,
        append_only: info.get("aof_enabled").map(|enabled| enabled == "1"),
        eviction: info.get("maxmemory_policy").map(str::to_owned),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_is_what_it_says_of_itself() {
        let redis = facts(String::new(), "redis_version:7.0.15\r\naof_enabled:0\r\nmaxmemory_policy:noeviction\r\n");
        assert_eq!((redis.product.as_str(), redis.append_only), ("Redis 7.0.15", Some(false)));
        assert_eq!(redis.eviction.as_deref(), Some("noeviction"));
        let valkey = facts("a:1".to_owned(), "redis_version:7.2.4\r\nvalkey_version:8.0.1\r\naof_enabled:1\r\n");
        assert_eq!((valkey.product.as_str(), valkey.append_only, valkey.eviction), ("Valkey 8.0.1", Some(true), None));
    }

    fn unsuitable(version: &str, mode: &str, as_cluster: bool) -> Option<String> {
        let info = format!("# Server\r\nredis_version:{version}\r\n{mode}\r\n");
        Info(&info).unsuitable(as_cluster)
    }

    #[test]
    fn a_store_is_suitable_from_redis_7_on_and_when_it_says_nothing() {
        for version in ["7.0.0", "7.2.4", "8.0.1", "10.1", "unstable", "7"] {
            assert_eq!(unsuitable(version, "redis_mode:standalone", false), None, "{version}");
        }
        for version in ["6.2.14", "2.8", "6"] {
            assert!(unsuitable(version, "redis_mode:standalone", false).unwrap().contains(version));
        }
        assert_eq!(Info("").unsuitable(false), None);
    }

    #[test]
    fn an_address_of_the_wrong_kind_is_told_the_right_one() {
        assert!(unsuitable("7.0.0", "redis_mode:cluster", false).unwrap().contains("redis-cluster"));
        assert!(unsuitable("7.2.4", "server_mode:sentinel", false).unwrap().contains("redis+sentinel"));
        assert_eq!(unsuitable("7.0.0", "redis_mode:cluster", true), None);
    }
}
