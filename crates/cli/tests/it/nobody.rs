//! The program as a user to whom files and folders can be closed: to the superuser all are open.

use std::ffi::OsStr;
use std::fs::{self, Permissions};
use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Stdio};

use crate::{Ended, Place};

/// A folder in which this user writes and the other may read.
pub(crate) struct Nobody<'a> {
    place: &'a Place,
    /// Whether the program must be started as somebody else.
    is_root: bool,
}

impl<'a> Nobody<'a> {
    /// Opens `place` and what is in it to the user; nothing, and a loud word, where the superuser can't start programs as nobody.
    pub(crate) fn in_place(place: &'a Place, test: &str) -> Option<Self> {
        place.chmod("", 0o777);
        fs::create_dir_all(place.path().join("cache")).unwrap();
        place.chmod("cache", 0o777);
        place.write("probe", "");
        place.chmod("probe", 0);
        let is_root = fs::read(place.path().join("probe")).is_ok();
        fs::remove_file(place.path().join("probe")).unwrap();
        let nobody = Self { place, is_root };
        let works = nobody
            .try_run(&["--version"])
            .is_some_and(|ended| ended.code == 0);
        if !works {
            // Straight to stderr: what tests print is captured.
            let _ = writeln!(
                std::io::stderr(),
                "SKIPPED {test}: the superuser could not start the program as nobody"
            );
        }
        works.then_some(nobody)
    }

    /// Runs `llm`.
    pub(crate) fn run(&self, arguments: &[&str]) -> Ended {
        self.try_run(arguments).expect("it was started before")
    }

    fn try_run(&self, arguments: &[&str]) -> Option<Ended> {
        let plain = self.place.command(&[]);
        let mut command = if self.is_root {
            let nobody = [
                "setpriv",
                "--reuid=65534",
                "--regid=65534",
                "--clear-groups",
            ];
            wrapped(&plain, &nobody)
        } else {
            plain
        };
        let output = command.args(arguments).output().ok()?;
        Some(Ended::from(output))
    }
}

/// A program with another in front of it that runs it.
pub(crate) fn wrapped(program: &Command, before: &[&str]) -> Command {
    let mut command = Command::new(before[0]);
    command
        .args(&before[1..])
        .arg(program.get_program())
        .args(program.get_args())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    if let Some(folder) = program.get_current_dir() {
        command.current_dir(folder);
    }
    for (key, value) in program.get_envs() {
        match value {
            Some(value) => command.env(key, value),
            None => command.env_remove(key),
        };
    }
    command
}

impl Place {
    /// Sets who may do what with a file or folder of the test.
    pub(crate) fn chmod(&self, name: impl AsRef<OsStr>, mode: u32) {
        let path = self.path().join(name.as_ref());
        fs::set_permissions(path, Permissions::from_mode(mode)).unwrap();
    }

    /// Opens a folder, and all that is in it, to be read.
    pub(crate) fn chmod_all(&self, folder: &str) {
        let path = self.path().join(folder);
        let mode = if path.is_dir() { 0o755 } else { 0o644 };
        self.chmod(folder, mode);
        for entry in path.read_dir().into_iter().flatten().flatten() {
            self.chmod_all(&format!("{folder}/{}", entry.file_name().display()));
        }
    }
}
