//! A connection to a database, and what differs between databases.

use std::time::Duration;

use sqlx::any::AnyConnectOptions;
use sqlx::any::AnyRow;
use sqlx::{AnyConnection, AssertSqlSafe, ConnectOptions, Connection, Row};
use tokio::runtime::{Builder, Runtime};

use super::url::DatabaseUrl;
use crate::error::SearchError;

/// How long a server may take to answer to a new connection.
const CONNECT: Duration = Duration::from_secs(15);
/// How long another process may keep an SQLite file locked.
const BUSY: Duration = Duration::from_secs(60);
/// How long a statement may take, the wait for other workers' locks included.
const ANSWER: Duration = Duration::from_secs(120);
/// Waits before the database is asked again, after it was not there. A server that is started again takes some seconds.
const PATIENCE: [Duration; 6] = [
    Duration::from_millis(100),
    Duration::from_millis(500),
    Duration::from_secs(2),
    Duration::from_secs(4),
    Duration::from_secs(8),
    Duration::from_secs(16),
];

/// PostgreSQL's code for a password that is not the user's, or is missing.
const WRONG_PASSWORD: &str = "28P01";

/// Why a conversation with a database ended.
pub(super) enum Fault {
    /// The database, or the way to it.
    Database(sqlx::Error),
    /// Anything else.
    Other(SearchError),
}

impl From<sqlx::Error> for Fault {
    fn from(error: sqlx::Error) -> Self {
        Self::Database(error)
    }
}

impl From<SearchError> for Fault {
    fn from(error: SearchError) -> Self {
        Self::Other(error)
    }
}

impl Fault {
    /// Whether the same may succeed a little later: the server is away, or two transactions stood in each other's way.
    fn passes(&self) -> bool {
        match self {
            Self::Database(sqlx::Error::Io(_) | sqlx::Error::WorkerCrashed) => true,
            Self::Database(sqlx::Error::Database(error)) => matches!(
                error.code().as_deref(),
                Some("40001" | "40P01" | "57P01" | "57P02" | "57P03")
            ),
            _ => false,
        }
    }
}

pub(super) type Answer<T> = Result<T, Fault>;

/// A value in a statement.
#[derive(Clone, Copy)]
pub(super) enum Bind<'a> {
    Float(Option<f64>),
    Text(&'a str),
}

/// A connection, made anew when it breaks.
pub(super) struct Database {
    runtime: Runtime,
    /// Nothing after it broke.
    connection: Option<AnyConnection>,
    /// How many there were.
    connections: u64,
    url: DatabaseUrl,
    access: Access,
}

/// What is to be done with a database.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Access {
    /// Read and change it; a file that is not there is made.
    Work,
    /// Read what is there.
    Look,
}

impl Database {
    /// Connects once; a database that is not there now is an error.
    pub(super) fn connect(url: DatabaseUrl, access: Access) -> crate::error::Result<Self> {
        sqlx::any::install_default_drivers();
        let runtime = Builder::new_current_thread()
            .enable_all()
            .build()
            .map_err(|error| SearchError::Setting(format!("cannot start a runtime: {error}")))?;
        let mut database = Self {
            runtime,
            connection: None,
            connections: 0,
            url,
            access,
        };
        match database.reconnect() {
            Ok(()) => Ok(database),
            Err(fault) => Err(database.explained(fault)),
        }
    }

    pub(super) fn is_postgres(&self) -> bool {
        self.url.file().is_none()
    }

    /// Tells connections apart: what is held by one is gone with it.
    pub(super) fn number_of_connection(&self) -> u64 {
        self.connections
    }

    fn reconnect(&mut self) -> Answer<()> {
        // A wait for a lock is no reason for a warning with the statement.
        let options: AnyConnectOptions = self.url.for_driver(self.access).parse()?;
        let options = options.disable_statement_logging();
        let connected = self
            .runtime
            .block_on(in_time(CONNECT, AnyConnection::connect_with(&options)));
        self.connection = Some(connected?);
        self.connections += 1;
        let settings = if self.is_postgres() {
            // The server soon gives up a machine that is gone, and its locks.
            "SET tcp_keepalives_idle = 30; SET tcp_keepalives_interval = 10; SET tcp_keepalives_count = 3; SET idle_in_transaction_session_timeout = '60s'".to_owned()
        } else {
            format!("PRAGMA busy_timeout = {}", BUSY.as_millis())
        };
        for setting in settings.split("; ") {
            self.execute(setting, &[])?;
        }
        Ok(())
    }

    /// Holds a conversation; one that breaks off is held again, with a new connection.
    pub(super) fn converse<T>(
        &mut self,
        talk: &mut dyn FnMut(&mut Self) -> Answer<T>,
    ) -> crate::error::Result<T> {
        let mut waits = PATIENCE.iter();
        loop {
            let ready = match self.connection {
                Some(_) => Ok(()),
                None => self.reconnect(),
            };
            let fault = match ready.and_then(|()| talk(self)) {
                Ok(told) => return Ok(told),
                // The database has done its part.
                Err(Fault::Other(error)) => return Err(error),
                Err(fault) => fault,
            };
            // Whatever it was in the middle of is rolled back with the connection.
            self.hang_up();
            match waits.next() {
                Some(wait) if fault.passes() => {
                    let message = self.explained(fault);
                    tracing::warn!("{message}; trying again");
                    std::thread::sleep(*wait);
                }
                _ => return Err(self.explained(fault)),
            }
        }
    }

    fn hang_up(&mut self) {
        if let Some(connection) = self.connection.take() {
            // It may be broken already.
            let _ = self.runtime.block_on(connection.close_hard());
        }
    }

    /// The rows that a statement gives, its values numbered `$1`, `$2` in the order in which they first stand in it.
    pub(super) fn rows(&mut self, sql: &str, binds: &[Bind<'_>]) -> Answer<Vec<AnyRow>> {
        let connection = self.connection.as_mut().ok_or_else(gone)?;
        // All that is not bound is written by this module: names, numbers and words of its own.
        let mut query = sqlx::query(AssertSqlSafe(sql.to_owned())).persistent(false);
        for bind in binds {
            query = match bind {
                Bind::Float(value) => query.bind(*value),
                Bind::Text(value) => query.bind((*value).to_owned()),
            };
        }
        let rows = in_time(ANSWER, query.fetch_all(connection));
        Ok(self.runtime.block_on(rows)?)
    }

    /// Runs a statement for what it changes.
    pub(super) fn execute(&mut self, sql: &str, binds: &[Bind<'_>]) -> Answer<()> {
        self.rows(sql, binds).map(drop)
    }

    /// The whole number that a statement gives in its first row, if it gives any.
    pub(super) fn integer(&mut self, sql: &str, binds: &[Bind<'_>]) -> Answer<Option<i64>> {
        let rows = self.rows(sql, binds)?;
        Ok(match rows.first() {
            Some(row) => row.try_get(0)?,
            None => None,
        })
    }

    /// An error that names the database, without its password.
    pub(super) fn explained(&self, fault: Fault) -> SearchError {
        let message = match fault {
            Fault::Other(error) => return error,
            Fault::Database(sqlx::Error::Io(error)) => format!(
                "cannot be reached: {error}; is the server running, and are host and port right?"
            ),
            Fault::Database(sqlx::Error::Database(error)) => match error.code().as_deref() {
                Some(WRONG_PASSWORD) => format!(
                    "{}; give the right one in the address, in PGPASSWORD or in ~/.pgpass",
                    error.message()
                ),
                _ => error.message().to_owned(),
            },
            Fault::Database(error) => error.to_string(),
        };
        self.error(message)
    }

    pub(super) fn error(&self, message: impl Into<String>) -> SearchError {
        SearchError::Storage {
            url: self.url.to_string(),
            message: message.into(),
        }
    }
}

/// What comes of `work`, if it comes within `limit`.
async fn in_time<T>(
    limit: Duration,
    work: impl Future<Output = sqlx::Result<T>>,
) -> sqlx::Result<T> {
    match tokio::time::timeout(limit, work).await {
        Ok(done) => done,
        Err(_) => Err(sqlx::Error::Io(std::io::ErrorKind::TimedOut.into())),
    }
}

fn gone() -> Fault {
    Fault::Database(sqlx::Error::Io(std::io::ErrorKind::NotConnected.into()))
}

impl Drop for Database {
    fn drop(&mut self) {
        if let Some(connection) = self.connection.take() {
            // A goodbye that is not heard changes nothing.
            let _ = self.runtime.block_on(connection.close());
        }
    }
}
