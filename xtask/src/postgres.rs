//! A PostgreSQL server of one's own, for the time of a check: in a folder that goes with it, behind a password, on a free port of this machine.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use crate::workspace::check;

/// Where Debian and others put the programs of the server, below a folder for each version.
const VERSIONS: &str = "/usr/lib/postgresql";
/// How long a server may take to start.
const PATIENCE: Duration = Duration::from_secs(30);
/// User and group that the server runs as where this runs as root, which PostgreSQL refuses: nobody.
#[cfg(unix)]
const NOBODY: u32 = 65534;

/// A server, stopped when it is dropped.
pub(crate) struct Postgres {
    server: Child,
    folder: tempfile::TempDir,
    port: u16,
}

impl Postgres {
    /// Starts a server.
    ///
    /// # Errors
    /// It is not installed, or does not start.
    pub(crate) fn start() -> Result<Self> {
        let Some(programs) = programs() else {
            bail!("no initdb and postgres found; on Debian and Ubuntu, install postgresql");
        };
        let folder = tempfile::tempdir()?;
        let password = folder.path().join("password");
        std::fs::write(&password, "secret")?;
        #[cfg(unix)]
        if is_root() {
            for path in [folder.path(), &password] {
                std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY))?;
            }
        }
        let data = folder.path().join("data");
        let mut initdb = as_nobody(&programs.join("initdb"));
        initdb
            .args([
                "--username=llm",
                "--auth=scram-sha-256",
                "--encoding=UTF8",
                "--no-locale",
                "--no-sync",
                "--pwfile",
            ])
            .arg(&password)
            .arg("--pgdata")
            .arg(&data)
            .stdout(Stdio::null());
        check(&mut initdb)?;
        let port = TcpListener::bind("127.0.0.1:0")?.local_addr()?.port();
        let mut server = as_nobody(&programs.join("postgres"));
        server
            .arg("-D")
            .arg(&data)
            .args(["-p", &port.to_string(), "-h", "127.0.0.1", "-F", "-k"])
            .arg(folder.path())
            .stdout(Stdio::null())
            .stderr(std::fs::File::create(folder.path().join("log"))?);
        let server = server.spawn().context("cannot start postgres")?;
        let mut started = Self {
            server,
            folder,
            port,
        };
        started.wait()?;
        Ok(started)
    }

    /// The address of its first database, password included.
    pub(crate) fn url(&self) -> String {
        format!("postgresql://llm:secret@127.0.0.1:{}/postgres", self.port)
    }

    fn wait(&mut self) -> Result<()> {
        let begin = Instant::now();
        loop {
            // The last line of this file says that connections are taken.
            let status = std::fs::read_to_string(self.folder.path().join("data/postmaster.pid"));
            if status.is_ok_and(|text| {
                text.lines()
                    .nth(7)
                    .is_some_and(|line| line.trim() == "ready")
            }) {
                return Ok(());
            }
            if begin.elapsed() > PATIENCE || self.server.try_wait()?.is_some() {
                let log = std::fs::read_to_string(self.folder.path().join("log"))?;
                bail!("postgres did not start:\n{log}");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // Its folder goes too, so nothing needs to be ended in order.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// The folder of the server's programs.
fn programs() -> Option<PathBuf> {
    let has_both = |folder: &Path| {
        ["initdb", "postgres"]
            .iter()
            .all(|name| folder.join(name).is_file())
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let versions = std::fs::read_dir(VERSIONS).into_iter().flatten().flatten();
    std::env::split_paths(&path)
        .chain(versions.map(|version| version.path().join("bin")))
        .find(|folder| has_both(folder))
}

#[cfg(unix)]
fn is_root() -> bool {
    use std::os::unix::fs::MetadataExt;
    // A folder of this process is its user's.
    std::fs::metadata("/proc/self").is_ok_and(|process| process.uid() == 0)
}

#[cfg(unix)]
fn as_nobody(program: &Path) -> Command {
    use std::os::unix::process::CommandExt;
    let mut command = Command::new(program);
    if is_root() {
        command.uid(NOBODY).gid(NOBODY).current_dir("/");
    }
    command
}

#[cfg(not(unix))]
fn as_nobody(program: &Path) -> Command {
    Command::new(program)
}
