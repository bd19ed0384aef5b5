//! Real processes for tests and for `devstack up`: a Redis server, a Docker engine, our own programs. Each lives in a
//! folder and on ports of its own, and is gone with everything it made when its handle is dropped.

mod bridge;
mod browser;
mod certificates;
mod child;
mod clock;
mod engine;
mod engine_command;
mod error;
mod filter;
mod leftovers;
mod lines;
mod monitor;
mod network;
mod port;
mod process;
mod proxy;
mod redis;
mod redis_cluster;
mod redis_sentinel;
mod signals;
mod tool;

pub use browser::Browser;
pub use certificates::Certificates;
pub use clock::Clock;
pub use engine::{Engine, EngineOptions};
pub use engine_command::EngineCommand;
pub use error::HarnessError;
pub use filter::Loss;
pub use monitor::{Monitor, Sent};
pub use port::free_port;
pub(crate) use process::program_beside;
pub use process::{Process, ProcessSpec};
pub use proxy::{Held, Proxy};
pub use redis::RedisServer;
pub use redis_cluster::RedisCluster;
pub use redis_sentinel::RedisSentinel;
pub use rustix::process::Signal;
pub(crate) use signals::Signals;
