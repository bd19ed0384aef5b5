//! What a provider promises, shown with real containers. Needs a Docker engine (`DOCKER_HOST`) and `busybox-static`;
//! without them the tests fail and say so.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod api;
mod conformance;
mod docker;
mod images;
mod isolation;
mod jobs;
mod world;
