//! What the containers of the stack are like, by what `docker inspect` shows.

use std::collections::BTreeMap;

use crate::{
    Inspected,
    stack::{ADMIN_TOKEN, SECRET, TOKEN},
};

/// The services' containers: name of the service, and what is shown.
pub(crate) type Services = Vec<(String, Inspected)>;

pub(crate) fn are_hardened(services: &Services) {
    for (service, shown) in services {
        let host = &shown["HostConfig"];
        assert_eq!(host["ReadonlyRootfs"], true, "{service}");
        assert_eq!(host["CapDrop"], serde_json::json!(["ALL"]), "{service}");
        assert_eq!(host["Privileged"], false, "{service}");
        assert!(host["SecurityOpt"].to_string().contains("no-new-privileges"), "{service}");
        assert_eq!(host["RestartPolicy"]["Name"], "unless-stopped", "{service}");
        assert_eq!(host["LogConfig"]["Config"]["max-size"], "10m", "{service}");
        let user = shown["Config"]["User"].as_str().unwrap();
        let number: u32 = user.split(':').next().unwrap().parse().unwrap_or_else(|_| panic!("{service} is {user:?}"));
        assert_ne!(number, 0, "{service}");
    }
}

/// Nothing of this machine leads into the stack but ingest's two ports, and to the private one only this machine itself.
pub(crate) fn publish_only_ingest(services: &Services) {
    for (service, shown) in services {
        let ports: BTreeMap<String, Inspected> =
            serde_json::from_value(shown["NetworkSettings"]["Ports"].clone()).unwrap_or_default();
        let published: Vec<&str> =
            ports.iter().filter(|(_, hosts)| !hosts.is_null()).map(|(port, _)| port.as_str()).collect();
        let expected: &[&str] = if service == "ingest" { &["5000/tcp", "5001/tcp"] } else { &[] };
        assert_eq!(published, expected, "{service}");
        assert!(ports.get("5001/tcp").is_none_or(|hosts| hosts[0]["HostIp"] == "127.0.0.1"), "{ports:?}");
    }
}

/// The worker's credential and the engine's socket are not where the internet is, and the webhook's secret only there.
pub(crate) fn have_only_their_own_secrets(services: &Services) {
    for (service, shown) in services {
        let mounts = shown["Mounts"].as_array().unwrap();
        let mut targets: Vec<&str> = mounts.iter().map(|mount| mount["Destination"].as_str().unwrap()).collect();
        targets.sort_unstable();
        let expected: &[&str] = match service.as_str() {
            "ingest" => &[
                "/run/secrets/admin_token",
                "/run/secrets/pools.toml",
                "/run/secrets/webhook_secret",
                "/run/secrets/webhook_secret_previous",
            ],
            "worker" => &["/run/secrets/github_credential", "/run/secrets/pools.toml", "/var/run/docker.sock"],
            _ => &["/data"],
        };
        assert_eq!(targets, expected, "{service}");
        let read_only = |mount: &&Inspected| mount["Destination"].as_str().unwrap().starts_with("/run/secrets/");
        assert!(mounts.iter().filter(read_only).all(|mount| mount["RW"] == false), "{service}");
    }
}

pub(crate) fn show_no_secret(containers: &[Inspected]) {
    for shown in containers {
        let text = shown.to_string();
        for secret in [SECRET, TOKEN, ADMIN_TOKEN] {
            assert!(!text.contains(secret), "{secret} is shown: {text}");
        }
    }
}
