//! Leasing connections: within the pool's bound, with patience for a database that comes back.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use deadpool::Runtime;
use deadpool::managed::{Manager, Object, Pool, PoolError, QueueMode, TimeoutType, Timeouts};
use rand::Rng;
use serde_json::{Value, json};
use tokio::time::{Instant, sleep};

use super::engine::Bounds;
use super::trouble::{Code, Trouble};

/// The first pause between two attempts to connect; each further one is twice as long.
const PAUSE_FIRST: Duration = Duration::from_millis(50);
/// The longest pause between two attempts to connect.
const PAUSE_MAX: Duration = Duration::from_secs(1);
/// For a used connection to be made as good as new.
const RECYCLE_MAX: Duration = Duration::from_secs(5);

/// A pool of connections, and what it went through.
pub(super) struct Leasing<M: Manager<Error = Trouble>> {
    pool: Pool<M>,
    bounds: Bounds,
    leases: AtomicU64,
    exhausted: AtomicU64,
    connects_failed: AtomicU64,
}

impl<M: Manager<Error = Trouble>> Leasing<M> {
    /// A pool of at most `size` connections; none is made before it is needed.
    ///
    /// # Errors
    /// Where time-outs are set and no runtime keeps them, which this never leaves out.
    pub(super) fn new(opener: M, size: usize, bounds: Bounds) -> Result<Self, Trouble> {
        let timeouts = Timeouts {
            wait: Some(bounds.pool_wait),
            create: Some(bounds.connect_wait),
            recycle: Some(RECYCLE_MAX),
        };
        let builder = Pool::builder(opener)
            .max_size(size)
            .timeouts(timeouts)
            .queue_mode(QueueMode::Lifo)
            .runtime(Runtime::Tokio1);
        let pool = builder.build().map_err(|error| {
            Trouble::new(Code::Connection, format!("the pool cannot be made: {error}"))
        })?;
        Ok(Self {
            pool,
            bounds,
            leases: AtomicU64::default(),
            exhausted: AtomicU64::default(),
            connects_failed: AtomicU64::default(),
        })
    }

    /// A connection, when one is free and the database is there, or within a bounded time is again.
    ///
    /// # Errors
    /// When none became free in time, or the database was not to be reached.
    pub(super) async fn lease(&self) -> Result<Object<M>, Trouble> {
        let end = Instant::now() + self.bounds.connect_wait;
        let mut pause = PAUSE_FIRST;
        loop {
            let trouble = match self.pool.get().await {
                Ok(leased) => {
                    self.leases.fetch_add(1, Ordering::Relaxed);
                    return Ok(leased);
                }
                Err(PoolError::Timeout(TimeoutType::Wait)) => {
                    self.exhausted.fetch_add(1, Ordering::Relaxed);
                    return Err(self.bounds.exhausted());
                }
                Err(PoolError::Backend(trouble)) => trouble,
                Err(PoolError::Timeout(_)) => {
                    let wait = self.bounds.connect_wait;
                    let text = format!("the database did not accept a connection within {wait:?}");
                    Trouble::passing(Code::Connection, text)
                }
                Err(other) => Trouble::new(Code::Connection, other.to_string()),
            };
            self.connects_failed.fetch_add(1, Ordering::Relaxed);
            if !trouble.is_passing || Instant::now() + pause > end {
                return Err(trouble);
            }
            // Callers that lost the database together shall not come back together.
            let share = rand::rng().random_range(0.5..1.0);
            sleep(pause.mul_f64(share)).await;
            pause = PAUSE_MAX.min(pause * 2);
        }
    }

    /// Figures of the pool.
    pub(super) fn figures(&self) -> Value {
        let status = self.pool.status();
        json!({
            "size": status.size,
            "sizeMax": status.max_size,
            "idle": status.available,
            "inUse": status.size.saturating_sub(status.available),
            "waiting": status.waiting,
            "leases": self.leases.load(Ordering::Relaxed),
            "exhausted": self.exhausted.load(Ordering::Relaxed),
            "connectsFailed": self.connects_failed.load(Ordering::Relaxed),
        })
    }
}
