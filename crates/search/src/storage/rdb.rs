//! Studies in a database, in the tables of Optuna's `RDBStorage`: workers on several machines, Python's among them, share a study.
//!
//! Whoever changes a study holds the lock of its row in `studies`, as Optuna does to number trials, and those of the trials that have not ended. In SQLite
//! the whole file is locked.
//!
//! A worker's name stands in a note of its trial. As long as it lives it holds an advisory lock of PostgreSQL on its name; SQLite has none, and there a locked
//! file beside the database does the same. Optuna's heartbeats are left to Optuna: a trial without one is never taken for dead by a Python worker.
//!
//! The tables are those of `optuna/storages/_rdb/models.py`.

mod changes;
mod database;
mod rows;
mod schema;
mod url;

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};

use self::database::{Access, Answer, Bind, Database};
pub use self::url::DatabaseUrl;
use super::worker::{Worker, unique_name};
use super::{Change, State, Storage, Transaction};
use crate::error::{Result, SearchError};

/// A note on a trial: who works on it.
const WORKER: &str = "llm:worker";
/// The lock of a worker's name, and whether it is free.
///
/// The lock is shared, so that a new connection need not wait for one that the server has not yet given up. A server that has just begun again has forgotten
/// all locks, and gets time until the workers are back.
const HOLD: &str = "SELECT pg_advisory_lock_shared(hashtextextended($1, 0))";
const IS_FREE: &str = "SELECT CASE WHEN now() < pg_postmaster_start_time() + interval '30 s' THEN 0 WHEN pg_try_advisory_lock(hashtextextended($1, 0)) THEN CAST(pg_advisory_unlock(hashtextextended($1, 0)) AS INTEGER) ELSE 0 END";

/// One study of a database.
pub struct RdbStorage {
    database: Database,
    study: String,
    state: State,
    me: Me,
}

/// This worker.
enum Me {
    InFile(Worker),
    InServer {
        name: String,
        /// The connection that holds the lock by which others see that it lives.
        registered: Option<u64>,
    },
}

impl RdbStorage {
    /// Opens the study of that name, which need not be there yet; the tables are made if they are not there. Other studies in the database are not
    /// looked at.
    ///
    /// # Errors
    /// A database that cannot be reached, or whose tables are of an Optuna before 3.2.
    pub fn open(url: DatabaseUrl, study: &str) -> Result<Self> {
        let me = match url.file() {
            // One file has one folder of workers, by whatever name it is found.
            Some(file) => Me::InFile(Worker::new(&made(file)?)),
            None => Me::InServer {
                name: unique_name(),
                registered: None,
            },
        };
        let mut storage = Self {
            database: Database::connect(url, Access::Work)?,
            study: study.to_owned(),
            state: State::default(),
            me,
        };
        storage.database.converse(&mut schema::prepare)?;
        storage.sync()?;
        Ok(storage)
    }

    /// Opens a study that must be there, to look at it: nothing is made, and the right to read is enough.
    ///
    /// # Errors
    /// A database that cannot be reached or has no such study.
    pub fn open_existing(url: DatabaseUrl, study: &str) -> Result<Self> {
        let name = unique_name();
        let mut storage = Self {
            database: Database::connect(url, Access::Look)?,
            study: study.to_owned(),
            state: State::default(),
            me: Me::InServer {
                name,
                registered: None,
            },
        };
        storage.sync()?;
        if storage.state.study_named(study).is_none() {
            return Err(storage.database.error(format!("has no study `{study}`")));
        }
        Ok(storage)
    }

    /// Talks to the database; after a break it is made known again that this worker lives.
    fn converse<T>(
        &mut self,
        talk: &mut dyn FnMut(&mut Database, &mut State, &mut Me) -> Answer<T>,
    ) -> Result<T> {
        let Self {
            database,
            state,
            me,
            ..
        } = self;
        database.converse(&mut |database| {
            if let Me::InServer {
                registered: Some(_),
                ..
            } = me
            {
                me.register(database)?;
            }
            talk(database, state, me)
        })
    }
}

impl Me {
    fn name(&self) -> &str {
        match self {
            Self::InFile(worker) => worker.name(),
            Self::InServer { name, .. } => name,
        }
    }

    /// Makes it known that this worker lives, before its first change.
    fn register(&mut self, database: &mut Database) -> Answer<()> {
        match self {
            Self::InFile(worker) => Ok(worker.register().map_err(|error| {
                database.error(format!("cannot lock a file beside it: {error}"))
            })?),
            Self::InServer { name, registered } => {
                let connection = Some(database.number_of_connection());
                if *registered != connection {
                    database.execute(HOLD, &[Bind::Text(name)])?;
                    *registered = connection;
                }
                Ok(())
            }
        }
    }
}

impl Storage for RdbStorage {
    fn sync(&mut self) -> Result<()> {
        let study = self.study.clone();
        self.converse(&mut |database, state, _| rows::read(database, &study, state))
    }

    fn state(&self) -> &State {
        &self.state
    }

    fn transaction(&mut self, body: &mut Transaction<'_>) -> Result<()> {
        let study = self.study.clone();
        self.converse(&mut |database, state, me| {
            me.register(database)?;
            begin(database, &study)?;
            rows::read(database, &study, state)?;
            match body(state) {
                Ok(changes) => {
                    let committed = commit(database, &study, state, &changes, me.name());
                    if committed.is_err() {
                        // What was taken in of it does not hold; everything is read anew.
                        *state = State::default();
                    }
                    committed
                }
                Err(error) => {
                    database.execute("ROLLBACK", &[])?;
                    Err(error.into())
                }
            }
        })
    }

    fn keep_alive(&mut self) -> Result<()> {
        self.converse(&mut |database, _, _| database.execute("SELECT 1", &[]))
    }

    fn is_dead(&mut self, worker: &str) -> bool {
        if worker == self.me.name() || !worker.starts_with("llm-") {
            return false;
        }
        if let Me::InFile(me) = &self.me {
            return me.is_dead(worker);
        }
        let asked =
            self.converse(&mut |database, _, _| database.integer(IS_FREE, &[Bind::Text(worker)]));
        // Nothing is known while the server is away.
        matches!(asked, Ok(Some(1)))
    }
}

/// Locks the study, if it is there.
fn begin(database: &mut Database, study: &str) -> Answer<()> {
    if !database.is_postgres() {
        return database.execute("BEGIN IMMEDIATE", &[]);
    }
    database.execute("BEGIN", &[])?;
    let id = database.integer(
        "SELECT study_id FROM studies WHERE study_name = $1 FOR UPDATE",
        &[Bind::Text(study)],
    )?;
    if let Some(id) = id {
        let open = format!(
            "SELECT trial_id FROM trials WHERE study_id = {id} AND state IN ('RUNNING', 'WAITING') ORDER BY trial_id FOR UPDATE"
        );
        database.execute(&open, &[])?;
    }
    Ok(())
}

/// Writes the changes, and reads what came of them.
fn commit(
    database: &mut Database,
    study: &str,
    state: &mut State,
    changes: &[Change],
    worker: &str,
) -> Answer<()> {
    for change in changes {
        changes::write(database, change, worker)?;
    }
    if !changes.is_empty() {
        rows::read(database, study, state)?;
    }
    // Not to be tried again if it fails: it may have been done.
    database
        .execute("COMMIT", &[])
        .map_err(|fault| database.explained(fault).into())
}

/// The path of the file without links, once it is there: made if it was not. The system says more clearly than SQLite why that fails.
fn made(file: &Path) -> Result<PathBuf> {
    OpenOptions::new()
        .read(true)
        .write(true)
        .create(true)
        .truncate(false)
        .open(file)
        .and_then(|_| file.canonicalize())
        .map_err(|source| SearchError::File {
            path: file.to_owned(),
            source,
        })
}
