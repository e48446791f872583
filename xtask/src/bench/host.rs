//! What a measurement was made on: the machine, the revision and the day.

use serde::{Deserialize, Serialize};

use crate::workspace::Workspace;

/// The machine.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Host {
    /// The model name that the processor gives itself.
    pub(super) cpu: String,
    /// Logical cores that this process may use.
    pub(super) cores: usize,
    /// Physical memory in GB of 10⁹ bytes; 0 where the system does not tell.
    pub(super) memory_gb: f64,
    /// Operating system and architecture.
    pub(super) os: String,
}

impl Host {
    /// The machine that this runs on.
    pub(super) fn current() -> Self {
        Self {
            cpu: cpu().unwrap_or_else(|| "unknown".to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            memory_gb: (memory_bytes().unwrap_or(0) as f64 / 1e8).round() / 10.0,
            os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        }
    }
}

fn cpu() -> Option<String> {
    if cfg!(target_os = "macos") {
        return sysctl("machdep.cpu.brand_string");
    }
    let cpuinfo = std::fs::read_to_string("/proc/cpuinfo").ok()?;
    Some(field(&cpuinfo, "model name")?.to_owned())
}

fn memory_bytes() -> Option<u64> {
    if cfg!(target_os = "macos") {
        return sysctl("hw.memsize")?.parse().ok();
    }
    let meminfo = std::fs::read_to_string("/proc/meminfo").ok()?;
    let kibibytes = field(&meminfo, "MemTotal")?.strip_suffix(" kB")?;
    Some(kibibytes.parse::<u64>().ok()? * 1024)
}

fn sysctl(name: &str) -> Option<String> {
    let output = std::process::Command::new("sysctl")
        .args(["-n", name])
        .output()
        .ok()?;
    Some(String::from_utf8(output.stdout).ok()?.trim().to_owned())
}

/// The value of the first line such as `name : value`.
fn field<'a>(text: &'a str, name: &str) -> Option<&'a str> {
    text.lines().find_map(|line| {
        let (key, value) = line.split_once(':')?;
        (key.trim() == name).then(|| value.trim())
    })
}

/// The short commit name, with `-dirty` where tracked files differ from it; `unknown` outside of a git checkout.
pub(super) fn revision(workspace: &Workspace) -> String {
    workspace
        .command("git")
        .args(["describe", "--always", "--exclude=*", "--dirty"])
        .output()
        .ok()
        .filter(|output| output.status.success())
        .map_or_else(
            || "unknown".to_owned(),
            |output| String::from_utf8_lossy(&output.stdout).trim().to_owned(),
        )
}

/// Today in UTC, as in `2026-01-31`.
pub(super) fn today() -> String {
    time::OffsetDateTime::now_utc().date().to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_found_by_their_whole_name() {
        let cpuinfo =
            "processor\t: 0\nmodel\t: 1\nmodel name\t: Some CPU @ 2.00GHz\nflags\t: a b\n";
        assert_eq!(field(cpuinfo, "model name"), Some("Some CPU @ 2.00GHz"));
        assert_eq!(field("MemTotal:  100 kB\n", "MemTotal"), Some("100 kB"));
        assert_eq!(field(cpuinfo, "name"), None);
    }

    #[test]
    fn days_are_written_year_first() {
        let today = today();
        let digits: Vec<usize> = today.split('-').map(str::len).collect();
        assert_eq!(digits, [4, 2, 2], "{today}");
    }
}
