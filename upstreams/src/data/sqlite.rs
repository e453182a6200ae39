//! SQLite, embedded: a file, or a database in memory with a small sample in it.
//!
//! What only reads goes over connections that are opened for reading alone, and whose authorizer
//! refuses at preparation whatever is not reading.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use deadpool::managed::{Manager, Metrics, RecycleResult};
use rusqlite::config::DbConfig;
use rusqlite::hooks::{AuthAction, AuthContext, Authorization};
use rusqlite::limits::Limit;
use rusqlite::{Connection, OpenFlags};
use serde_json::{Value, json};
use tokio::task::spawn_blocking;
use tokio::time::timeout;

use super::engine::{Bounds, TABLES_MAX};
use super::pool::Leasing;
use super::rows::{Column, Filling, Page, Statement, Table, Window};
use super::sqlite_values::{bind, said, value};
use super::trouble::{Code, Trouble};

/// Connections that write: SQLite lets one write at a time anyway.
const WRITERS: usize = 1;
/// Steps of SQLite's machine between two looks at whether the call still wants an answer.
const STEPS_UNWATCHED: i32 = 1_000;
/// For another process to release the file.
const BUSY_WAIT: Duration = Duration::from_secs(2);
/// Bytes of all memory that SQLite takes in this process: a sort of millions of rows is ended.
const HEAP_BYTES_MAX: u64 = 512 * 1024 * 1024;
/// Bytes of a statement.
const SQL_BYTES_MAX: i32 = 128 * 1024;
/// Depth of an expression; deeper ones cost stack.
const DEPTH_MAX: i32 = 200;
/// Instructions that a statement may compile to.
const OPERATIONS_MAX: i32 = 250_000;

/// The sample in a database in memory.
const SAMPLE: &str = include_str!("sample.sql");

/// An SQLite database.
pub(super) struct Sqlite {
    readers: Leasing<Opener>,
    writer: Option<Leasing<Opener>>,
    bounds: Bounds,
    place: Place,
    statements: AtomicU64,
    /// A database in memory lives as long as its last connection.
    _anchor: Option<Mutex<Connection>>,
}

/// Where a database is.
#[derive(Clone)]
enum Place {
    /// Shared by the connections of this process that know its name.
    Memory(String),
    File(PathBuf),
}

impl Sqlite {
    /// The sample, in memory.
    ///
    /// # Errors
    /// When SQLite has no memory for it.
    pub(super) fn sample(is_writable: bool, bounds: Bounds) -> Result<Self, Trouble> {
        let place = Place::Memory(format!("file:/{}?vfs=memdb", uuid::Uuid::new_v4()));
        let anchor = place.open(true, &bounds)?;
        anchor.execute_batch(SAMPLE).map_err(|error| said(&error, false))?;
        let mut sqlite = Self::at(place, is_writable, bounds)?;
        sqlite._anchor = Some(Mutex::new(anchor));
        Ok(sqlite)
    }

    /// A file, which is opened when it is first needed and never made.
    ///
    /// # Errors
    /// When there can be no pool for it.
    pub(super) fn file(path: &Path, is_writable: bool, bounds: Bounds) -> Result<Self, Trouble> {
        Self::at(Place::File(path.to_owned()), is_writable, bounds)
    }

    fn at(place: Place, is_writable: bool, bounds: Bounds) -> Result<Self, Trouble> {
        let opener =
            |is_writing| Opener { place: place.clone(), is_writing, bounds: bounds.clone() };
        let writer = || Leasing::new(opener(true), WRITERS, bounds.clone());
        Ok(Self {
            readers: Leasing::new(opener(false), bounds.pool_size, bounds.clone())?,
            writer: is_writable.then(writer).transpose()?,
            place: place.clone(),
            bounds,
            statements: AtomicU64::default(),
            _anchor: None,
        })
    }

    pub(super) async fn query(
        &self,
        statement: Statement,
        window: Window,
    ) -> Result<Page, Trouble> {
        let Bounds { result_bytes_max, rows_counted_max, .. } = self.bounds;
        self.run(&self.readers, move |connection| {
            let mut prepared =
                connection.prepare(&statement.sql).map_err(|error| said(&error, false))?;
            if prepared.column_count() == 0 {
                let text = "expected a statement that answers with rows, came one without columns";
                return Err(Trouble::new(Code::ReadOnly, text));
            }
            bind(&mut prepared, &statement.params)?;
            let columns: Vec<String> = prepared.column_names().map(str::to_owned).collect();
            let names = columns.iter().map(String::as_str);
            let mut filling = Filling::new(names, window, result_bytes_max);
            let mut rows = prepared.raw_query();
            let (mut seen, skipped) = (0, window.skipped());
            let counted_max = rows_counted_max.max(skipped.saturating_add(window.page_size) + 1);
            while let Some(row) = rows.next().map_err(|error| said(&error, false))? {
                if seen == counted_max {
                    return Ok(filling.page(seen, false));
                }
                if seen >= skipped && filling.room() > 0 {
                    filling.add((0..columns.len()).map(|index| value(row, index)))?;
                }
                seen += 1;
            }
            Ok(filling.page(seen, true))
        })
        .await
    }

    pub(super) async fn execute(&self, statement: Statement) -> Result<u64, Trouble> {
        let Some(writer) = &self.writer else {
            return Err(super::read_only());
        };
        self.run(writer, move |connection| {
            let mut prepared =
                connection.prepare(&statement.sql).map_err(|error| said(&error, true))?;
            bind(&mut prepared, &statement.params)?;
            if prepared.readonly() && prepared.column_count() > 0 {
                let text = "expected a statement that changes something, came one that reads: \
                            `query` does that";
                return Err(Trouble::new(Code::Validation, text));
            }
            let before = connection.total_changes();
            let mut rows = prepared.raw_query();
            // What it returns is not wanted; it is done when it has returned everything.
            while rows.next().map_err(|error| said(&error, true))?.is_some() {}
            // The count of its own rows, without those of triggers; a definition changes none.
            Ok(if connection.total_changes() == before { 0 } else { connection.changes() })
        })
        .await
    }

    pub(super) async fn tables(&self) -> Result<Vec<Table>, Trouble> {
        const SQL: &str = "SELECT name, type FROM sqlite_schema WHERE type IN ('table', 'view') \
                           AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name LIMIT ?1";
        self.run(&self.readers, |connection| {
            let mut prepared = connection.prepare(SQL)?;
            let rows = prepared.query_map([TABLES_MAX as i64], |row| {
                Ok(Table { name: row.get(0)?, kind: row.get(1)? })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(super) async fn columns(&self, table: String) -> Result<Vec<Column>, Trouble> {
        const SQL: &str = "SELECT name, type, \"notnull\", pk FROM pragma_table_info(?1)";
        self.run(&self.readers, move |connection| {
            let mut prepared = connection.prepare(SQL)?;
            let rows = prepared.query_map([table], |row| {
                let place: u32 = row.get(3)?;
                Ok(Column {
                    name: row.get(0)?,
                    type_: row.get(1)?,
                    nullable: !row.get::<_, bool>(2)?,
                    primary_key: (place > 0).then_some(place),
                })
            })?;
            Ok(rows.collect::<Result<_, _>>()?)
        })
        .await
    }

    pub(super) fn figures(&self) -> Value {
        let place = match &self.place {
            Place::Memory(_) => "in memory".to_owned(),
            Place::File(path) => path.display().to_string(),
        };
        json!({
            "engine": "sqlite",
            "place": place,
            "isWritable": self.writer.is_some(),
            "readers": self.readers.figures(),
            "writer": self.writer.as_ref().map(Leasing::figures),
            "statements": self.statements.load(Ordering::Relaxed),
        })
    }

    /// Runs work on a connection, on a thread that may block; ends it when the time is over or
    /// when nobody waits any more.
    async fn run<T: Send + 'static>(
        &self,
        pool: &Leasing<Opener>,
        work: impl FnOnce(&mut Connection) -> Result<T, Trouble> + Send + 'static,
    ) -> Result<T, Trouble> {
        let mut leased = pool.lease().await?;
        self.statements.fetch_add(1, Ordering::Relaxed);
        let wanted = Wanted::default();
        let unwanted = wanted.0.clone();
        let working = spawn_blocking(move || {
            let is_over = move || unwanted.load(Ordering::Relaxed);
            leased.progress_handler(STEPS_UNWATCHED, Some(is_over))?;
            let done = work(&mut leased);
            leased.progress_handler(0, None::<fn() -> bool>)?;
            done
        });
        match timeout(self.bounds.statement_timeout, working).await {
            Ok(Ok(done)) => done,
            Ok(Err(broken)) => {
                tracing::error!(%broken, "a statement broke");
                Err(Trouble::new(Code::Query, "the statement broke the database engine"))
            }
            Err(_) => Err(self.bounds.timed_out()),
        }
    }
}

/// Says, once dropped, that nobody waits for the work any more.
#[derive(Default)]
struct Wanted(Arc<AtomicBool>);

impl Drop for Wanted {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
    }
}

/// Opens connections to one database, for reading or for writing.
struct Opener {
    place: Place,
    is_writing: bool,
    bounds: Bounds,
}

impl Manager for Opener {
    type Type = Connection;
    type Error = Trouble;

    async fn create(&self) -> Result<Connection, Trouble> {
        let (place, is_writing, bounds) =
            (self.place.clone(), self.is_writing, self.bounds.clone());
        let opening = spawn_blocking(move || place.open(is_writing, &bounds));
        opening.await.unwrap_or_else(|broken| {
            Err(Trouble::new(Code::Connection, format!("the database was not opened: {broken}")))
        })
    }

    async fn recycle(&self, used: &mut Connection, _: &Metrics) -> RecycleResult<Trouble> {
        // Work that broke may have left its own behind.
        used.progress_handler(0, None::<fn() -> bool>).map_err(Trouble::from)?;
        Ok(())
    }
}

impl Place {
    fn open(&self, is_writing: bool, bounds: &Bounds) -> Result<Connection, Trouble> {
        let mode = match (self, is_writing) {
            (_, false) => OpenFlags::SQLITE_OPEN_READ_ONLY,
            (Self::File(_), true) => OpenFlags::SQLITE_OPEN_READ_WRITE,
            (Self::Memory(_), true) => {
                OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE
            }
        };
        let mode = mode | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let opened = match self {
            Self::Memory(uri) => {
                Connection::open_with_flags(uri, mode | OpenFlags::SQLITE_OPEN_URI)
            }
            Self::File(path) => Connection::open_with_flags(path, mode),
        };
        let mut connection = opened.map_err(|error| {
            // The caller need not know where files are here.
            tracing::warn!(%error, "a database file cannot be opened");
            Trouble::new(Code::Connection, "the database file cannot be opened")
        })?;
        connection.busy_timeout(BUSY_WAIT.min(bounds.statement_timeout))?;
        connection.pragma_update(None, "query_only", !is_writing)?;
        connection.pragma_update(None, "temp_store", "MEMORY")?;
        connection.pragma_update(None, "hard_heap_limit", HEAP_BYTES_MAX as i64)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_DEFENSIVE, true)?;
        connection.set_db_config(DbConfig::SQLITE_DBCONFIG_TRUSTED_SCHEMA, false)?;
        let value_bytes_max = i32::try_from(bounds.result_bytes_max).unwrap_or(i32::MAX);
        for (limit, most) in [
            (Limit::SQLITE_LIMIT_LENGTH, value_bytes_max.max(SQL_BYTES_MAX)),
            (Limit::SQLITE_LIMIT_SQL_LENGTH, SQL_BYTES_MAX),
            (Limit::SQLITE_LIMIT_EXPR_DEPTH, DEPTH_MAX),
            (Limit::SQLITE_LIMIT_VDBE_OP, OPERATIONS_MAX),
            (Limit::SQLITE_LIMIT_ATTACHED, 0),
            (Limit::SQLITE_LIMIT_WORKER_THREADS, 0),
        ] {
            connection.set_limit(limit, most)?;
        }
        connection
            .authorizer(Some(move |context: AuthContext<'_>| permit(&context, is_writing)))?;
        Ok(connection)
    }
}

/// What a statement may do. Transactions are not its own: a connection is lent for one statement.
fn permit(context: &AuthContext<'_>, is_writing: bool) -> Authorization {
    let is_permitted = match context.action {
        AuthAction::Select | AuthAction::Read { .. } | AuthAction::Recursive => true,
        AuthAction::Function { function_name } => {
            !["load_extension", "fts3_tokenizer"].contains(&function_name)
        }
        AuthAction::Pragma { pragma_name, .. } => [
            "table_info",
            "table_xinfo",
            "table_list",
            "index_list",
            "index_info",
            "foreign_key_list",
        ]
        .contains(&pragma_name),
        AuthAction::Insert { .. }
        | AuthAction::Update { .. }
        | AuthAction::Delete { .. }
        | AuthAction::CreateTable { .. }
        | AuthAction::CreateIndex { .. }
        | AuthAction::CreateView { .. }
        | AuthAction::CreateTrigger { .. }
        | AuthAction::DropTable { .. }
        | AuthAction::DropIndex { .. }
        | AuthAction::DropView { .. }
        | AuthAction::DropTrigger { .. }
        | AuthAction::AlterTable { .. }
        | AuthAction::Reindex { .. }
        | AuthAction::Analyze { .. } => is_writing,
        // Other files, settings, temporary and virtual tables, transactions, and what is to come.
        _ => false,
    };
    if is_permitted { Authorization::Allow } else { Authorization::Deny }
}
