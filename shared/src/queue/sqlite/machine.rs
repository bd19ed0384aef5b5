//! Sees to it that one machine alone uses a file, whatever the file system: with two, each would overwrite what the other has
//! written.

use std::{
    fs::{self, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{failure::Failure, place::Place};

/// How often a machine says that it uses the file.
const EVERY: Duration = Duration::from_secs(10);

/// Once it has been silent for this long, another may. It takes as long to start anew after a crash of the machine itself,
/// unless that took longer.
const SILENT: Duration = Duration::from_secs(30);

/// What this machine says beside the file.
#[derive(Debug)]
pub(super) struct Machine {
    stamp: PathBuf,
    /// What tells it from others: from its start on, the kernel has a random id. And its name, for people.
    text: String,
    said: Option<Instant>,
}

impl Machine {
    /// This machine.
    pub(super) fn this(place: &Place) -> Result<Self, Failure> {
        let read = |path: &str| {
            let text = fs::read_to_string(path).map_err(|error| {
                Failure::Unsuitable(format!(
                    "cannot read {path}, which tells this machine from others that might use the file: {error}"
                ))
            });
            text.map(|text| text.trim().to_owned())
        };
        let text = format!("{} {}\n", read("/proc/sys/kernel/random/boot_id")?, read("/proc/sys/kernel/hostname")?);
        Ok(Self { stamp: place.beside("-machine"), text, said: None })
    }

    /// Says that this machine uses the file, unless another does.
    pub(super) fn claim(&mut self) -> Result<(), Failure> {
        if self.said.is_some_and(|said| said.elapsed() < EVERY) {
            return Ok(());
        }
        if let Some(other) = self.other() {
            return Err(Failure::Unsuitable(format!(
                "{} says that {other} uses the queue, and a file can be used by one machine at a time. For several, use \
                 QUEUE_URL=redis://…; if that one has ended, this one goes on by itself {} s later",
                self.stamp.display(),
                SILENT.as_secs()
            )));
        }
        let stamp = OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&self.stamp);
        stamp
            .and_then(|mut stamp| stamp.write_all(self.text.as_bytes()))
            .map_err(|error| Failure::Passing(format!("cannot write {}: {error}", self.stamp.display())))?;
        self.said = Some(Instant::now());
        Ok(())
    }

    /// The machine that has used it of late, if that is another.
    fn other(&self) -> Option<String> {
        let text = fs::read_to_string(&self.stamp).ok().filter(|text| !text.is_empty() && *text != self.text)?;
        let silent = fs::metadata(&self.stamp).ok()?.modified().ok()?.elapsed().unwrap_or_default();
        (silent < SILENT).then(|| text.split_whitespace().last().unwrap_or("another machine").to_owned())
    }
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use super::*;

    #[test]
    fn a_second_machine_waits_until_the_first_has_been_silent() {
        let folder = tempfile::tempdir().unwrap();
        let place = Place::parse(folder.path().join("q").to_str().unwrap()).unwrap();
        let machine = || Machine::this(&place).unwrap();
        machine().claim().unwrap();
        machine().claim().unwrap();
        let stamp = place.beside("-machine");
        fs::write(&stamp, "other-boot other-host\n").unwrap();
        let Err(Failure::Unsuitable(reason)) = machine().claim() else { panic!("it was not refused") };
        assert!(reason.contains("other-host uses the queue"), "{reason}");
        fs::File::open(&stamp).unwrap().set_modified(SystemTime::now() - SILENT).unwrap();
        machine().claim().unwrap();
        assert_eq!(fs::read_to_string(&stamp).unwrap(), machine().text);
    }
}
