//! Sequences of operations, until one fails or all have been tried.

use proptest::test_runner::{Config, TestRunner};
use tokio::runtime::{Builder, Runtime};

use super::{look::Kept, operation, store::Store, world::World};

pub(crate) fn runtime() -> Runtime {
    Builder::new_current_thread().enable_all().build().unwrap()
}

pub(crate) fn run(kept: &Kept) {
    let runtime = runtime();
    let config = Config { failure_persistence: None, max_shrink_iters: 4000, ..Config::default() };
    let tried = TestRunner::new(config).run(&operation::sequences(), |operations| {
        runtime.block_on(async {
            let mut world = World::new(Store::connect(kept).await).await;
            for operation in &operations {
                world.step(operation).await?;
            }
            world.drain().await
        })
    });
    if let Err(failure) = tried {
        panic!("{failure}");
    }
}
