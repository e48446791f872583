//! What a measurement was made on: the machine and the revision.

use serde::Serialize;

use crate::workspace::Workspace;

/// The machine.
#[derive(Debug, Serialize)]
pub(super) struct Host {
    /// The model name that the processor gives itself.
    cpu: String,
    /// Logical cores that this process may use.
    cores: usize,
    /// Operating system and architecture.
    os: String,
}

impl Host {
    /// The machine that this runs on.
    pub(super) fn current() -> Self {
        Self {
            cpu: cpu().unwrap_or_else(|| "unknown".to_owned()),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            os: format!("{} {}", std::env::consts::OS, std::env::consts::ARCH),
        }
    }
}

fn cpu() -> Option<String> {
    if cfg!(target_os = "macos") {
        let output = std::process::Command::new("sysctl")
            .args(["-n", "machdep.cpu.brand_string"])
            .output()
            .ok()?;
        return Some(String::from_utf8(output.stdout).ok()?.trim().to_owned());
    }
    model_name(&std::fs::read_to_string("/proc/cpuinfo").ok()?)
}

fn model_name(cpuinfo: &str) -> Option<String> {
    let line = cpuinfo
        .lines()
        .find(|line| line.starts_with("model name"))?;
    Some(line.split_once(':')?.1.trim().to_owned())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_processor_names_itself() {
        let cpuinfo = "processor\t: 0\nmodel name\t: Some CPU @ 2.00GHz\nflags\t: a b\n";
        assert_eq!(model_name(cpuinfo).as_deref(), Some("Some CPU @ 2.00GHz"));
        assert_eq!(model_name("processor : 0\n"), None);
    }
}
