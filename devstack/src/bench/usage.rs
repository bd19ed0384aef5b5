//! What a process has used of the machine, by the kernel's word.

use std::{fs, time::Duration};

use anyhow::Context as _;

/// How much time on a core all its threads have had, to a hundredth of a second.
pub(super) fn cpu(pid: u32) -> anyhow::Result<Duration> {
    let stat = read(pid, "stat")?;
    // After the name, which may hold anything: the state is the first field, utime the 12th and stime the 13th.
    let (_, fields) = stat.rsplit_once(')').context("/proc has an odd stat")?;
    let fields: Vec<&str> = fields.split_whitespace().collect();
    let ticks = |at: usize| fields.get(at).and_then(|field| field.parse::<u32>().ok()).context("/proc has an odd stat");
    let per_second = u32::try_from(rustix::param::clock_ticks_per_second())?;
    Ok(Duration::from_secs(1) * (ticks(11)? + ticks(12)?) / per_second)
}

/// How much memory it has, in MiB.
pub(super) fn memory(pid: u32) -> anyhow::Result<f64> {
    mib(&read(pid, "status")?, "VmRSS:")
}

/// How much it has had at most, in MiB.
pub(super) fn peak(pid: u32) -> anyhow::Result<f64> {
    mib(&read(pid, "status")?, "VmHWM:")
}

fn mib(status: &str, field: &str) -> anyhow::Result<f64> {
    let value =
        status.lines().find_map(|line| line.strip_prefix(field)).and_then(|value| value.split_whitespace().next());
    let kib: f64 =
        value.and_then(|value| value.parse().ok()).with_context(|| format!("/proc does not tell {field}"))?;
    Ok(kib / 1024.0)
}

fn read(pid: u32, file: &str) -> anyhow::Result<String> {
    let path = format!("/proc/{pid}/{file}");
    fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_has_used_what_it_used() {
        let pid = std::process::id();
        let before = cpu(pid).unwrap();
        let mut sum = 0_u64;
        while cpu(pid).unwrap() < before + Duration::from_millis(30) {
            sum = (0..100_000_u64).fold(sum, u64::wrapping_add);
        }
        let held = vec![1_u8; 64 << 20];
        assert!(memory(pid).unwrap() > 64.0);
        drop(held);
        assert!(peak(pid).unwrap() > 64.0, "{sum}");
    }
}
