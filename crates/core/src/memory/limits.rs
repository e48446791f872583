//! How much memory this process may still take: what the machine has free, and what the control groups that it is in leave it.
//!
//! Source: Linux, `Documentation/filesystems/proc.rst` (`MemAvailable`), `admin-guide/cgroup-v2.rst` and `cgroup-v1/memory.rst`. Files that the
//! kernel keeps in memory to read them faster count as free, as they do in `MemAvailable`. Other systems do not tell.

use std::fs;
use std::path::{Path, PathBuf};

/// Bytes that this process may take beside what it holds; `None` where the system does not tell.
pub fn available_bytes() -> Option<u64> {
    available_under(Path::new("/"))
}

/// [`available_bytes`] by the files under another root.
fn available_under(root: &Path) -> Option<u64> {
    let machine = number_after(&root.join("proc/meminfo"), "MemAvailable:").map(|kib| kib << 10);
    let groups = fs::read_to_string(root.join("proc/self/cgroup")).unwrap_or_default();
    let of_groups = groups.lines().filter_map(|line| Group::of(line, root));
    of_groups
        .filter_map(|group| group.room())
        .chain(machine)
        .min()
}

/// A hierarchy of control groups, and where this process stands in it.
struct Group {
    top: PathBuf,
    /// Folder names from the top down.
    path: String,
    files: &'static Files,
}

/// Names in a version of control groups.
struct Files {
    limit: &'static str,
    usage: &'static str,
    /// Keys of `memory.stat`.
    reclaimable: [&'static str; 2],
}

const VERSION_1: Files = Files {
    limit: "memory.limit_in_bytes",
    usage: "memory.usage_in_bytes",
    reclaimable: ["total_inactive_file ", "total_active_file "],
};

const VERSION_2: Files = Files {
    limit: "memory.max",
    usage: "memory.current",
    reclaimable: ["inactive_file ", "active_file "],
};

impl Group {
    /// That of a line of `/proc/self/cgroup`, `ID:CONTROLLERS:PATH`, if it is about memory.
    fn of(line: &str, root: &Path) -> Option<Self> {
        let mut parts = line.splitn(3, ':').skip(1);
        let (controllers, path) = (parts.next()?, parts.next()?);
        let top = root.join("sys/fs/cgroup");
        let (top, files) = match controllers {
            "" => (top, &VERSION_2),
            names if names.split(',').any(|name| name == "memory") => {
                (top.join("memory"), &VERSION_1)
            }
            _ => return None,
        };
        Some(Self {
            top,
            path: path.trim_start_matches('/').to_owned(),
            files,
        })
    }

    /// The least that a limit from this group up to the top leaves. In a container the path may be that of the host: its folders are not
    /// there, and the top is the container's.
    fn room(&self) -> Option<u64> {
        let own = self.top.join(&self.path);
        let groups = own
            .ancestors()
            .take_while(|group| group.starts_with(&self.top));
        groups.filter_map(|group| self.files.room(group)).min()
    }
}

impl Files {
    fn room(&self, group: &Path) -> Option<u64> {
        let limit = number(&group.join(self.limit))?;
        let usage = number(&group.join(self.usage))?;
        let stat = group.join("memory.stat");
        let reclaimable = self.reclaimable.iter();
        let reclaimable: u64 = reclaimable.filter_map(|key| number_after(&stat, key)).sum();
        Some(limit.saturating_sub(usage.saturating_sub(reclaimable)))
    }
}

/// The number that a file holds; `None` also for `max`.
fn number(path: &Path) -> Option<u64> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// The number after a key at the beginning of a line.
fn number_after(path: &Path, key: &str) -> Option<u64> {
    let text = fs::read_to_string(path).ok()?;
    let rest = text.lines().find_map(|line| line.strip_prefix(key))?;
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is available on a system with these files.
    fn available(files: &[(&str, &str)]) -> Option<u64> {
        let root = std::env::temp_dir().join(format!(
            "llm-limits-{}-{:?}",
            std::process::id(),
            std::thread::current().id()
        ));
        for (name, text) in files {
            let path = root.join(name);
            fs::create_dir_all(path.parent().expect("under the root")).expect("a folder");
            fs::write(path, text).expect("a file");
        }
        let available = available_under(&root);
        fs::remove_dir_all(&root).expect("removed");
        available
    }

    const MEMINFO: (&str, &str) = (
        "proc/meminfo",
        "MemTotal:  9000 kB\nMemFree: 10 kB\nMemAvailable:    5000 kB\n",
    );

    #[test]
    fn the_machine_alone_tells_what_it_has() {
        assert_eq!(available(&[MEMINFO]), Some(5000 << 10));
        let unlimited = ("sys/fs/cgroup/a/memory.max", "max\n");
        let usage = ("sys/fs/cgroup/a/memory.current", "77\n");
        let groups = ("proc/self/cgroup", "0::/a\n");
        assert_eq!(
            available(&[MEMINFO, groups, unlimited, usage]),
            Some(5000 << 10)
        );
    }

    #[test]
    fn the_narrowest_group_counts_and_cached_files_are_free() {
        let files = [
            MEMINFO,
            ("proc/self/cgroup", "0::/a/b\n"),
            ("sys/fs/cgroup/a/memory.max", "3000\n"),
            ("sys/fs/cgroup/a/memory.current", "2500\n"),
            (
                "sys/fs/cgroup/a/memory.stat",
                "anon 100\ninactive_file 1000\nactive_file 500\n",
            ),
            ("sys/fs/cgroup/a/b/memory.max", "90000\n"),
            ("sys/fs/cgroup/a/b/memory.current", "10\n"),
        ];
        assert_eq!(available(&files), Some(3000 - 1000));
    }

    #[test]
    fn a_container_sees_its_own_group_at_the_top() {
        let files = [
            MEMINFO,
            (
                "proc/self/cgroup",
                "12:pids:/docker/xyz\n4:cpu,memory:/docker/xyz\n0::/\n",
            ),
            ("sys/fs/cgroup/memory/memory.limit_in_bytes", "2000\n"),
            ("sys/fs/cgroup/memory/memory.usage_in_bytes", "1500\n"),
            (
                "sys/fs/cgroup/memory/memory.stat",
                "total_inactive_file 200\n",
            ),
        ];
        assert_eq!(available(&files), Some(700));
    }

    #[test]
    fn a_system_that_does_not_tell_is_not_guessed_at() {
        assert_eq!(available(&[("proc/version", "other")]), None);
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn this_system_tells() {
        let bytes = available_bytes().expect("Linux tells");
        assert!((1 << 20..1 << 50).contains(&bytes), "{bytes}");
    }
}
