//! What a process has used, as the kernel counts it.

use anyhow::Context;

/// Clock ticks a second; Linux has used 100 on every architecture for user space since 2.6.
const TICKS: f64 = 100.0;

/// CPU-seconds (user and system) of a process so far. Source: `proc_pid_stat(5)`, fields 14 and 15.
pub(crate) fn cpu_seconds(pid: u32) -> anyhow::Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    let after_name = stat.rsplit_once(')').context("stat")?.1;
    let mut fields = after_name.split_whitespace().skip(11);
    let user: f64 = fields.next().context("utime")?.parse()?;
    let system: f64 = fields.next().context("stime")?.parse()?;
    Ok((user + system) / TICKS)
}

/// Resident memory of a process in MB.
pub(crate) fn resident_mb(pid: u32) -> anyhow::Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
    let kib: f64 = line.trim().trim_end_matches("kB").trim().parse()?;
    Ok(kib / 1024.0)
}
