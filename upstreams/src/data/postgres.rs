//! PostgreSQL, by its URL: pooled connections, read-only transactions, statements ended in time.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use deadpool::managed::{Manager, Metrics, Object, RecycleResult};
use serde_json::{Value, json};
use tokio::sync::oneshot;
use tokio::task::JoinSet;
use tokio::time::timeout;
use tokio_postgres::config::{Host, SslMode};
use tokio_postgres::types::ToSql;
use tokio_postgres::{Client, Config, Row};

use super::engine::{Bounds, TABLES_MAX};
use super::pool::Leasing;
use super::postgres_values::{Cell, Param, is_known, said};
use super::rows::{Column, Filling, Page, Statement, Table, Window};
use super::tls::Tls;
use super::trouble::{Code, Trouble};

/// For the server to take note that a statement, or a connection, is not wanted any more.
const FAREWELL_MAX: Duration = Duration::from_secs(5);
/// Beyond the statement's own time: the server ends it first, and says so.
const SERVER_FIRST: Duration = Duration::from_millis(500);
/// Rows that come in one go, at first and at most: a page of huge rows is noticed in time.
const ROWS_AT_ONCE: (u64, u64) = (4, 256);
/// What goes before a statement that reads: nothing else can be the query of a cursor.
const CURSOR: &str = "DECLARE page NO SCROLL CURSOR FOR\n";
/// One view of the data for all steps of a page, and nothing but looking.
const READING: &str = "ISOLATION LEVEL REPEATABLE READ READ ONLY";
const WRITING: &str = "READ WRITE";
/// Leaves nothing of one caller to the next: settings, cursors, locks, temporary tables.
const AS_GOOD_AS_NEW: &str = "CLOSE ALL; SET SESSION AUTHORIZATION DEFAULT; RESET ALL; UNLISTEN *; \
                              SELECT pg_advisory_unlock_all(); DISCARD TEMP; DISCARD SEQUENCES;";

const TABLES: &str = "SELECT CASE n.nspname WHEN 'public' THEN c.relname::text \
     ELSE n.nspname || '.' || c.relname END AS name, \
     CASE WHEN c.relkind IN ('v', 'm') THEN 'view' ELSE 'table' END AS kind \
     FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace \
     WHERE c.relkind IN ('r', 'p', 'v', 'm', 'f') AND n.nspname !~ '^pg_' \
     AND n.nspname <> 'information_schema' ORDER BY 1 LIMIT $1";
const COLUMNS: &str = "SELECT a.attname::text, format_type(a.atttypid, a.atttypmod), \
     NOT a.attnotnull, array_position(i.indkey::int2[], a.attnum)::int4 \
     FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid \
     JOIN pg_namespace n ON n.oid = c.relnamespace \
     LEFT JOIN pg_index i ON i.indrelid = c.oid AND i.indisprimary \
     WHERE a.attnum > 0 AND NOT a.attisdropped AND c.relkind IN ('r', 'p', 'v', 'm', 'f') \
     AND CASE n.nspname WHEN 'public' THEN c.relname::text \
     ELSE n.nspname || '.' || c.relname END = $1 ORDER BY a.attnum";

/// A PostgreSQL database.
pub(super) struct Postgres {
    pool: Leasing<Dialer>,
    bounds: Bounds,
    is_writable: bool,
    /// Where it is, without user and password.
    place: String,
    tls: Tls,
    statements: AtomicU64,
    cancelled: AtomicU64,
    /// Connections that are being ended, one task each, at most as many as the pool has.
    ending: Mutex<JoinSet<()>>,
}

/// What the statements of one call run in.
type Leased = Object<Dialer>;

impl Postgres {
    /// A database that is connected to when it is first needed.
    ///
    /// # Errors
    /// When the URL is none of PostgreSQL's, or asks for what this version lacks.
    pub(super) fn new(
        url: &str,
        is_writable: bool,
        bounds: Bounds,
        tls: Tls,
    ) -> Result<Self, Trouble> {
        // The name is always checked, so that both words mean the same here.
        let url = url.replacen("sslmode=verify-full", "sslmode=require", 1);
        let mut config: Config = url.parse().map_err(|_| {
            let text = "expected postgres://user@host:port/database, with \
                        ?sslmode=disable|require|verify-full, came something else";
            Trouble::new(Code::Validation, text)
        })?;
        config.connect_timeout(bounds.connect_wait).application_name("gateway");
        if config.get_ssl_mode() != SslMode::Require {
            // What is encrypted only if the other side likes protects from nobody.
            config.ssl_mode(SslMode::Disable);
        }
        let place = place_of(&config);
        let dialer = Dialer { config, place: place.clone(), tls: tls.clone() };
        let pool = Leasing::new(dialer, bounds.pool_size, bounds.clone())?;
        Ok(Self {
            pool,
            bounds,
            is_writable,
            place,
            tls,
            statements: AtomicU64::default(),
            cancelled: AtomicU64::default(),
            ending: Mutex::default(),
        })
    }

    /// What only reads may be done again: once, when the server went away meanwhile.
    pub(super) async fn query(
        &self,
        statement: &Statement,
        window: Window,
    ) -> Result<Page, Trouble> {
        match self.query_once(statement, window).await {
            Err(trouble) if trouble.is_lost_server() => self.query_once(statement, window).await,
            done => done,
        }
    }

    async fn query_once(&self, statement: &Statement, window: Window) -> Result<Page, Trouble> {
        let session = self.session().await?;
        let client = session.client()?;
        let read = async {
            begin(client, READING, &self.bounds).await?;
            page(client, &self.bounds, statement, window).await
        };
        let read = self.within(read).await;
        session.end(read).await
    }

    /// What writes is sent once.
    pub(super) async fn execute(&self, statement: &Statement) -> Result<u64, Trouble> {
        if !self.is_writable {
            return Err(super::read_only());
        }
        let session = self.session().await?;
        let client = session.client()?;
        let changing = async {
            begin(client, WRITING, &self.bounds).await?;
            let prepared = client.prepare(&statement.sql).await.map_err(|error| said(&error))?;
            let params = params(prepared.params().len(), statement)?;
            let changed =
                client.execute_raw(&prepared, &params).await.map_err(|error| said(&error))?;
            client.batch_execute("COMMIT").await.map_err(|error| said(&error))?;
            Ok(changed)
        };
        let changed = self.within(changing).await.map_err(|trouble| match trouble.code {
            Code::Connection | Code::Timeout => {
                let text =
                    format!("{}; it may have been done: look before you try again", trouble.text);
                Trouble::new(trouble.code, text)
            }
            _ => trouble,
        });
        session.end(changed).await
    }

    pub(super) async fn tables(&self) -> Result<Vec<Table>, Trouble> {
        let rows = self.rows(TABLES, &[&(TABLES_MAX as i64)]).await?;
        rows.iter().map(|row| Ok(Table { name: row.try_get(0)?, kind: row.try_get(1)? })).collect()
    }

    pub(super) async fn columns(&self, table: &str) -> Result<Vec<Column>, Trouble> {
        let column = |row: &Row| {
            let place: Option<i32> = row.try_get(3)?;
            Ok(Column {
                name: row.try_get(0)?,
                type_: row.try_get(1)?,
                nullable: row.try_get(2)?,
                // The array of an index counts from 0.
                primary_key: place.and_then(|place| u32::try_from(place + 1).ok()),
            })
        };
        self.rows(COLUMNS, &[&table]).await?.iter().map(column).collect()
    }

    /// Rows of a statement of our own.
    async fn rows(&self, sql: &str, params: &[&(dyn ToSql + Sync)]) -> Result<Vec<Row>, Trouble> {
        match self.rows_once(sql, params).await {
            Err(trouble) if trouble.is_lost_server() => self.rows_once(sql, params).await,
            done => done,
        }
    }

    async fn rows_once(
        &self,
        sql: &str,
        params: &[&(dyn ToSql + Sync)],
    ) -> Result<Vec<Row>, Trouble> {
        let session = self.session().await?;
        let client = session.client()?;
        let read = async {
            begin(client, READING, &self.bounds).await?;
            client.query(sql, params).await.map_err(|error| said(&error))
        };
        let read = self.within(read).await;
        session.end(read).await
    }

    /// Figures for whoever operates this.
    pub(super) fn figures(&self) -> Value {
        json!({
            "engine": "postgres",
            "place": self.place,
            "isWritable": self.is_writable,
            "pool": self.pool.figures(),
            "statements": self.statements.load(Ordering::Relaxed),
            "cancelled": self.cancelled.load(Ordering::Relaxed),
        })
    }

    async fn session(&self) -> Result<Session<'_>, Trouble> {
        let leased = self.pool.lease().await?;
        self.statements.fetch_add(1, Ordering::Relaxed);
        Ok(Session { owner: self, leased: Some(leased) })
    }

    async fn within<T>(
        &self,
        work: impl Future<Output = Result<T, Trouble>>,
    ) -> Result<T, Trouble> {
        let limit = self.bounds.statement_timeout + SERVER_FIRST;
        match timeout(limit, work).await {
            // The server's words say neither how long it may take nor that it was ended.
            Err(_) | Ok(Err(Trouble { code: Code::Timeout, .. })) => Err(self.bounds.timed_out()),
            Ok(done) => done,
        }
    }

    /// Ends what runs on a connection, at the server too, and closes it. It counts as in use until
    /// then, so that a pool never has more connections at the server than it may.
    fn discard(&self, leased: Leased) {
        self.cancelled.fetch_add(1, Ordering::Relaxed);
        let Ok(runtime) = tokio::runtime::Handle::try_current() else { return };
        let mut ending = self.ending.lock().unwrap_or_else(PoisonError::into_inner);
        while ending.try_join_next().is_some() {}
        let tls = self.tls.clone();
        let farewell = async move {
            let saying = async {
                leased.client.cancel_token().cancel_query(tls).await?;
                leased.client.batch_execute("ROLLBACK").await
            };
            if !matches!(timeout(FAREWELL_MAX, saying).await, Ok(Ok(()))) {
                tracing::debug!(
                    "a statement that was not wanted any more did not end in good order"
                );
            }
            // The cancellation may come late, and must not meet the next statement.
            drop(Object::take(leased));
        };
        ending.spawn_on(farewell, &runtime);
    }
}

/// A connection during one call.
struct Session<'a> {
    owner: &'a Postgres,
    leased: Option<Leased>,
}

impl Session<'_> {
    /// Its connection, which it has until it ends.
    fn client(&self) -> Result<&Client, Trouble> {
        let gone = || Trouble::new(Code::Connection, "the connection of this call is given back");
        self.leased.as_ref().map(|leased| &leased.client).ok_or_else(gone)
    }

    /// Gives the connection back, unless it is not known what it does now.
    async fn end<T>(mut self, done: Result<T, Trouble>) -> Result<T, Trouble> {
        if let Err(Trouble { code: Code::Connection | Code::Timeout, .. }) = done {
            return done;
        }
        let ended = timeout(FAREWELL_MAX, self.client()?.batch_execute("ROLLBACK")).await;
        if matches!(ended, Ok(Ok(()))) {
            drop(self.leased.take());
        }
        done
    }
}

impl Drop for Session<'_> {
    fn drop(&mut self) {
        if let Some(leased) = self.leased.take() {
            self.owner.discard(leased);
        }
    }
}

/// Begins a transaction whose statements the server itself ends in time.
async fn begin(client: &Client, mode: &str, bounds: &Bounds) -> Result<(), Trouble> {
    let milliseconds = bounds.statement_timeout.as_millis();
    let sql = format!("BEGIN {mode}; SET LOCAL statement_timeout = {milliseconds}");
    client.batch_execute(&sql).await.map_err(|error| said(&error))
}

fn params(wanted: usize, statement: &Statement) -> Result<Vec<Param<'_>>, Trouble> {
    let params = &statement.params;
    if params.len() != wanted {
        return Err(super::wrong_count(wanted, params.len()));
    }
    Ok(params.iter().map(Param).collect())
}

/// One page, over a cursor: what is before it and after it stays at the server.
async fn page(
    client: &Client,
    bounds: &Bounds,
    statement: &Statement,
    window: Window,
) -> Result<Page, Trouble> {
    let prepared = client.prepare(&statement.sql).await.map_err(|error| said(&error))?;
    if prepared.columns().is_empty() {
        return Err(not_reading());
    }
    if let Some(column) = prepared.columns().iter().find(|column| !is_known(column.type_())) {
        let (name, type_) = (column.name(), column.type_());
        let text = format!("column `{name}` has the type {type_}: cast it, `{name}::text`");
        return Err(Trouble::new(Code::Query, text));
    }
    let params = params(prepared.params().len(), statement)?;
    let declaring = client.prepare(&format!("{CURSOR}{}", statement.sql)).await;
    let declaring = declaring.map_err(|error| match said(&error) {
        // It is a statement, as was seen, but none that only reads.
        Trouble { code: Code::Query, .. } => not_reading(),
        trouble => trouble,
    })?;
    client.execute_raw(&declaring, &params).await.map_err(|error| said(&error))?;

    let skipped = window.skipped();
    let counted_max = bounds.rows_counted_max.max(skipped + window.page_size + 1);
    let mut total = forward(client, skipped).await?;
    let names = prepared.columns().iter().map(tokio_postgres::Column::name);
    let mut filling = Filling::new(names, window, bounds.result_bytes_max);
    let mut is_end = total < skipped;
    let (mut at_once, at_once_max) = ROWS_AT_ONCE;
    while !is_end && filling.room() > 0 {
        let wanted = filling.room().min(at_once);
        at_once = at_once_max.min(at_once * 2);
        let sql = format!("FETCH FORWARD {wanted} FROM page");
        let rows = client.query(&sql, &[]).await.map_err(|error| said(&error))?;
        for row in &rows {
            let cell = |index| {
                Ok(row.try_get::<_, Option<Cell>>(index)?.map_or(Value::Null, |cell| cell.0))
            };
            filling.add((0..row.len()).map(cell))?;
        }
        total += rows.len() as u64;
        is_end = (rows.len() as u64) < wanted;
    }
    if !is_end {
        let wanted = counted_max - total;
        let rest = forward(client, wanted).await?;
        total += rest;
        is_end = rest < wanted;
    }
    Ok(filling.page(total, is_end))
}

/// Moves the cursor on; by how many rows it could be moved.
async fn forward(client: &Client, rows: u64) -> Result<u64, Trouble> {
    if rows == 0 {
        return Ok(0);
    }
    let sql = format!("MOVE FORWARD {rows} IN page");
    client.execute(&sql, &[]).await.map_err(|error| said(&error))
}

fn not_reading() -> Trouble {
    let text = "expected a statement that only reads (SELECT, VALUES, TABLE, WITH), came another";
    Trouble::new(Code::ReadOnly, text)
}

/// Makes connections.
struct Dialer {
    config: Config,
    place: String,
    tls: Tls,
}

/// A connection, whose task ends soon after it is dropped.
struct Dialled {
    client: Client,
    _in_use: oneshot::Sender<()>,
}

impl Manager for Dialer {
    type Type = Dialled;
    type Error = Trouble;

    async fn create(&self) -> Result<Dialled, Trouble> {
        let connected = self.config.connect(self.tls.clone()).await;
        let (client, mut connection) = connected.map_err(|error| {
            let trouble = said(&error);
            let text = format!("no connection to the database: {}", trouble.text);
            // The caller need not know where it is.
            tracing::warn!(place = self.place, text, "no connection");
            Trouble { code: Code::Connection, text, is_passing: trouble.is_passing }
        })?;
        let (in_use, unused) = oneshot::channel();
        tokio::spawn(async move {
            let ended = tokio::select! {
                ended = &mut connection => ended,
                // The client is gone; the connection says goodbye, if the server still listens.
                _ = unused => timeout(FAREWELL_MAX, &mut connection).await.unwrap_or(Ok(())),
            };
            if let Err(error) = ended {
                tracing::debug!(%error, "a connection to the database ended");
            }
        });
        Ok(Dialled { client, _in_use: in_use })
    }

    async fn recycle(&self, used: &mut Dialled, _: &Metrics) -> RecycleResult<Trouble> {
        if used.client.is_closed() {
            return Err(Trouble::passing(Code::Connection, "the connection was closed").into());
        }
        used.client.batch_execute(AS_GOOD_AS_NEW).await.map_err(|error| said(&error))?;
        Ok(())
    }
}

/// Where a database is, for people: no user, no password.
fn place_of(config: &Config) -> String {
    let ports = config.get_ports();
    let hosts = config.get_hosts().iter().enumerate().map(|(index, host)| {
        let port = ports.get(index).or(ports.first()).copied().unwrap_or(5432);
        match host {
            Host::Tcp(name) => format!("{name}:{port}"),
            #[cfg(unix)]
            Host::Unix(path) => format!("{}:{port}", path.display()),
        }
    });
    let hosts: Vec<String> = hosts.collect();
    format!("{}/{}", hosts.join(","), config.get_dbname().unwrap_or_default())
}
