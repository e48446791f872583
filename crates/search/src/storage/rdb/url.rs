//! Where a database is, in the spelling that Optuna and SQLAlchemy have for it.

use std::fmt;
use std::path::{Path, PathBuf};

use percent_encoding::{NON_ALPHANUMERIC, percent_encode};
use url::Url;

use super::database::Access;
use crate::error::{Result, SearchError};

/// The address of a database. It is shown without its password.
#[derive(Clone, PartialEq, Eq)]
pub struct DatabaseUrl(Place);

#[derive(Clone, PartialEq, Eq)]
enum Place {
    Sqlite(PathBuf),
    Postgres(Url),
}

impl DatabaseUrl {
    /// Reads `postgresql://user:password@host:port/database`, or `sqlite:///file.db` (four slashes before an absolute path). The drivers of Python that
    /// SQLAlchemy has in its addresses, as in `postgresql+psycopg2`, are passed over. PostgreSQL's own means to leave things out of the address hold:
    /// `PGPASSWORD`, `~/.pgpass`, `?sslmode=require`, `?host=/var/run/postgresql`.
    ///
    /// # Errors
    /// Another database, or no address.
    pub fn parse(text: &str) -> Result<Self> {
        let wrong = |message: &str| Err(SearchError::Setting(format!("storage {message}")));
        let Some((scheme, rest)) = text.split_once("://") else {
            // What has an @ may have a password before it.
            let shown = text.rsplit('@').next().unwrap_or(text);
            return wrong(&format!(
                "`{shown}`: is no address of a database, such as postgresql://user@host/database or sqlite:///file.db"
            ));
        };
        let (database, _driver) = scheme.split_once('+').unwrap_or((scheme, ""));
        match database {
            "sqlite" => match rest.strip_prefix('/') {
                None | Some("" | ":memory:") => wrong(&format!(
                    "`{text}`: names no file; write sqlite:///file.db, or sqlite:////folder/file.db for an absolute path"
                )),
                Some(path) if path.contains('?') => wrong(&format!(
                    "`{text}`: settings after `?` are Python's; leave them out"
                )),
                Some(path) => Ok(Self(Place::Sqlite(PathBuf::from(path)))),
            },
            "postgresql" | "postgres" => match Url::parse(&format!("postgresql://{rest}")) {
                Ok(url) if !url.path().trim_matches('/').is_empty() => {
                    Ok(Self(Place::Postgres(url)))
                }
                Ok(_) => {
                    wrong("of PostgreSQL: names no database; write postgresql://user@host/database")
                }
                // The address itself may hold a password, so it is not shown.
                Err(error) => wrong(&format!("of PostgreSQL: {error}")),
            },
            other => wrong(&format!(
                "`{other}://…`: is a database that is not supported; use postgresql:// or sqlite:///"
            )),
        }
    }

    /// The address from wherever: the path of a file, made absolute.
    ///
    /// # Errors
    /// The working folder cannot be told.
    pub fn absolute(self) -> std::io::Result<Self> {
        Ok(match self.0 {
            Place::Sqlite(path) => Self(Place::Sqlite(std::path::absolute(path)?)),
            place => Self(place),
        })
    }

    /// The file, where the database is one.
    pub(super) fn file(&self) -> Option<&Path> {
        match &self.0 {
            Place::Sqlite(path) => Some(path),
            Place::Postgres(_) => None,
        }
    }

    /// The address as the driver reads it, password included.
    pub(super) fn for_driver(&self, access: Access) -> String {
        match &self.0 {
            Place::Sqlite(path) => {
                let path = percent_encode(path.as_os_str().as_encoded_bytes(), NON_ALPHANUMERIC);
                let mode = match access {
                    Access::Work => "rwc",
                    Access::Look => "ro",
                };
                format!("sqlite:{path}?mode={mode}")
            }
            Place::Postgres(url) => url.to_string(),
        }
    }
}

impl fmt::Display for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Place::Sqlite(path) => write!(f, "sqlite:///{}", path.display()),
            Place::Postgres(url) => {
                let mut shown = url.clone();
                // An address without a host has no password either.
                let _ = shown.set_password(None);
                let kept: Vec<_> = url
                    .query_pairs()
                    .filter(|(key, _)| key != "password")
                    .collect();
                if kept.is_empty() {
                    shown.set_query(None);
                } else {
                    shown.query_pairs_mut().clear().extend_pairs(kept);
                }
                write!(f, "{shown}")
            }
        }
    }
}

impl fmt::Debug for DatabaseUrl {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "DatabaseUrl({self})")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_of_sqlalchemy_are_read_and_shown_without_passwords() {
        let shown = |text: &str| DatabaseUrl::parse(text).unwrap().to_string();
        assert_eq!(shown("sqlite:///a b.db"), "sqlite:///a b.db");
        let absolute = DatabaseUrl::parse("sqlite:////tmp/é.db").unwrap();
        assert_eq!(absolute.file(), Some(Path::new("/tmp/é.db")));
        assert_eq!(
            absolute.for_driver(Access::Work),
            "sqlite:%2Ftmp%2F%C3%A9%2Edb?mode=rwc"
        );
        assert_eq!(
            shown("postgresql+psycopg2://me:secret@host:5433/db?sslmode=require&password=secret"),
            "postgresql://me@host:5433/db?sslmode=require"
        );
        assert_eq!(
            shown("postgres:///db?host=/var/run/postgresql"),
            "postgresql:///db?host=%2Fvar%2Frun%2Fpostgresql"
        );
        let url = DatabaseUrl::parse("postgresql://me:secret@host/db").unwrap();
        assert!(!format!("{url:?}").contains("secret"));
        assert!(url.for_driver(Access::Look).contains("secret"));
    }

    #[test]
    fn what_is_no_address_of_a_database_is_refused() {
        let message = |text: &str| DatabaseUrl::parse(text).unwrap_err().to_string();
        assert!(message("study.db").contains("is no address"));
        assert!(!message("postgresql:/me:secret@host/db").contains("secret"));
        assert!(message("sqlite:///study.db?timeout=3").contains("leave them out"));
        assert!(message("mysql://me@host/db").contains("`mysql://…`"));
        assert!(message("sqlite://study.db").contains("sqlite:///file.db"));
        assert!(message("sqlite:///:memory:").contains("names no file"));
        assert!(message("postgresql://me:secret@host").contains("names no database"));
        let broken = message("postgresql://me:secret@ho st:port/db");
        assert!(!broken.contains("secret"), "{broken}");
    }
}
