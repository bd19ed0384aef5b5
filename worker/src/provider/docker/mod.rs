//! Runners in Docker, over the engine's API: 1.41 (Docker 20.10) and up.

mod beside;
mod build;
mod build_context;
mod config;
mod connect;
mod container;
mod download;
mod engine_error;
mod files;
mod ignore;
mod image;
mod kept;
mod leftovers;
mod logs;
mod network;
mod orphans;
mod owner;
mod provider;
mod sidecar;
mod state;
mod survey;

pub use config::{BuildPath, DockerConfig, EngineHost, RunnerDockerfile};
pub use provider::DockerProvider;
pub use survey::{EngineFacts, ImageState};
