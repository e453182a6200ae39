//! The database behind the tools, whichever engine it is.

use std::time::Duration;

use serde_json::Value;

use super::postgres::Postgres;
use super::rows::{Column, Page, Statement, Table, Window};
use super::sqlite::Sqlite;
use super::trouble::{Code, Trouble};

/// Tables that are listed; the rest is found by asking for its schema by name.
pub(super) const TABLES_MAX: usize = 1_000;

/// What a database may cost.
#[derive(Debug, Clone)]
pub(super) struct Bounds {
    /// Connections at a time.
    pub(super) pool_size: usize,
    /// For a connection to be free.
    pub(super) pool_wait: Duration,
    /// For a database that is not there to come back.
    pub(super) connect_wait: Duration,
    /// For one statement.
    pub(super) statement_timeout: Duration,
    /// Of one page.
    pub(super) result_bytes_max: usize,
    /// Rows that are counted for the total.
    pub(super) rows_counted_max: u64,
}

impl Bounds {
    /// What is said of a statement that took too long.
    pub(super) fn timed_out(&self) -> Trouble {
        let limit = self.statement_timeout;
        let text =
            format!("expected an answer within {limit:?}, none came: the statement was ended");
        Trouble::new(Code::Timeout, text)
    }

    /// What is said when every connection is in use.
    pub(super) fn exhausted(&self) -> Trouble {
        let Self { pool_size, pool_wait, .. } = self;
        let text = format!(
            "every connection was in use for {pool_wait:?} (`pool_size` is {pool_size}): try again"
        );
        Trouble::passing(Code::Limited, text)
    }
}

/// A database.
pub(super) enum Engine {
    Sqlite(Sqlite),
    Postgres(Postgres),
}

impl Engine {
    /// One page of what a reading statement answers.
    ///
    /// # Errors
    /// When the statement does anything but read, is not one, fails, or exceeds a bound.
    pub(super) async fn query(
        &self,
        statement: Statement,
        window: Window,
    ) -> Result<Page, Trouble> {
        match self {
            Self::Sqlite(sqlite) => sqlite.query(statement, window).await,
            Self::Postgres(postgres) => postgres.query(&statement, window).await,
        }
    }

    /// How many rows a writing statement changed.
    ///
    /// # Errors
    /// When writing is not allowed, or the statement is not one, fails, or exceeds a bound.
    pub(super) async fn execute(&self, statement: Statement) -> Result<u64, Trouble> {
        match self {
            Self::Sqlite(sqlite) => sqlite.execute(statement).await,
            Self::Postgres(postgres) => postgres.execute(&statement).await,
        }
    }

    /// The tables and views by name, at most [`TABLES_MAX`].
    ///
    /// # Errors
    /// When the database cannot be asked.
    pub(super) async fn tables(&self) -> Result<Vec<Table>, Trouble> {
        match self {
            Self::Sqlite(sqlite) => sqlite.tables().await,
            Self::Postgres(postgres) => postgres.tables().await,
        }
    }

    /// The columns of a table.
    ///
    /// # Errors
    /// When there is no such table, or the database cannot be asked.
    pub(super) async fn columns(&self, table: &str) -> Result<Vec<Column>, Trouble> {
        let columns = match self {
            Self::Sqlite(sqlite) => sqlite.columns(table.to_owned()).await?,
            Self::Postgres(postgres) => postgres.columns(table).await?,
        };
        if columns.is_empty() {
            let shown: String = table.chars().take(64).collect();
            let text = format!("there is no table `{shown}`: data://tables lists those there are");
            return Err(Trouble::new(Code::NotFound, text));
        }
        Ok(columns)
    }

    /// The pool and what it went through, for whoever operates this.
    pub(super) fn figures(&self) -> Value {
        match self {
            Self::Sqlite(sqlite) => sqlite.figures(),
            Self::Postgres(postgres) => postgres.figures(),
        }
    }
}
