//! What a stand-in is like.

/// How a stand-in is set up.
#[derive(Clone, Debug, Default)]
pub struct Config {
    /// The images that it has.
    pub images: Vec<Image>,
}

/// An image.
#[derive(Clone, Debug)]
pub struct Image {
    /// Its name, with its tag.
    pub name: String,
    /// What its containers do.
    pub program: Program,
}

/// What a container does.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Program {
    /// It is the stand-in runner.
    Runner,
    /// It runs the shell script in its variable `SCRIPT`, as a process of this machine.
    Shell,
    /// It says that a daemon answers, as `dockerd` does, and waits for its end.
    Daemon,
}

impl Config {
    /// An engine with one image, whose containers are stand-in runners.
    pub fn runners(image: impl Into<String>) -> Self {
        Self { images: vec![Image { name: image.into(), program: Program::Runner }] }
    }
}
