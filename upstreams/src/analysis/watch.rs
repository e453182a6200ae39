//! Reads a source within its bounds: bytes, bytes a row, time; ends when the caller goes away.

use std::cell::{Cell, RefCell};
use std::io::{self, Read};
use std::rc::Rc;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, AtomicU64, Ordering};

use crate::fault::{Code, Fault};

/// Bytes of one row: an analysis holds one row at a time.
const ROW_BYTES_MAX: u64 = 4 * 1024 * 1024;

const RUNNING: u8 = 0;
const CANCELLED: u8 = 1;
const OUT_OF_TIME: u8 = 2;

/// What the caller's side and the analysis tell each other.
#[derive(Debug, Default)]
pub(super) struct Signals {
    state: AtomicU8,
    /// Bytes read so far.
    pub(super) bytes: AtomicU64,
}

impl Signals {
    /// Ends the analysis: its caller went away.
    pub(super) fn cancel(&self) {
        self.state.store(CANCELLED, Ordering::Relaxed);
    }

    /// Ends the analysis: its time is over.
    pub(super) fn end_time(&self) {
        self.state.store(OUT_OF_TIME, Ordering::Relaxed);
    }

    fn check(&self) -> Result<(), Fault> {
        match self.state.load(Ordering::Relaxed) {
            RUNNING => Ok(()),
            CANCELLED => Err(Fault::new(Code::Cancelled, "the caller ended the analysis")),
            _ => {
                let text =
                    "the analysis took longer than it may: give fewer rows in `options.rows`";
                Err(Fault::new(Code::Timeout, text))
            }
        }
    }
}

/// What a reader has seen, shared with whoever reads through it.
#[derive(Debug)]
pub(super) struct Seen {
    signals: Arc<Signals>,
    bytes: Cell<u64>,
    row_start: Cell<u64>,
    bytes_max: u64,
    fault: RefCell<Option<Fault>>,
}

impl Seen {
    pub(super) fn new(signals: Arc<Signals>, bytes_max: u64) -> Rc<Self> {
        Rc::new(Self {
            signals,
            bytes: Cell::new(0),
            row_start: Cell::new(0),
            bytes_max,
            fault: RefCell::new(None),
        })
    }

    /// A row ends here.
    ///
    /// # Errors
    /// The caller went away, or the time is over.
    pub(super) fn end_row(&self) -> Result<(), Fault> {
        self.row_start.set(self.bytes.get());
        self.signals.check()
    }

    /// Why reading failed, if the reader itself ended it.
    pub(super) fn fault(&self) -> Option<Fault> {
        self.fault.borrow_mut().take()
    }

    pub(super) fn bytes(&self) -> u64 {
        self.bytes.get()
    }

    fn check(&self, read: &[u8]) -> Result<(), Fault> {
        self.signals.check()?;
        if let Some(at) = memchr::memchr(0, read) {
            let at = self.bytes.get() + at as u64;
            return Err(binary(at));
        }
        let bytes = self.bytes.get() + read.len() as u64;
        self.bytes.set(bytes);
        self.signals.bytes.store(bytes, Ordering::Relaxed);
        if bytes > self.bytes_max {
            return Err(too_large(self.bytes_max));
        }
        if bytes - self.row_start.get() > ROW_BYTES_MAX {
            let text =
                format!("one row has more than {ROW_BYTES_MAX} bytes, the most that is taken");
            return Err(Fault::new(Code::Limited, text));
        }
        Ok(())
    }
}

/// A source that is no text.
pub(super) fn binary(at: u64) -> Fault {
    let text = format!("the source is no text: byte {at} is none of UTF-8 text");
    Fault::new(Code::Binary, text)
}

/// A source beyond the bound.
pub(super) fn too_large(max: u64) -> Fault {
    Fault::new(
        Code::Limited,
        format!("the source has more than {max} bytes, the most that is taken"),
    )
}

/// A reader that keeps to the bounds.
pub(super) struct Watched<R> {
    pub(super) source: R,
    pub(super) seen: Rc<Seen>,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let count = self.source.read(buffer)?;
        let read = buffer.get(..count).unwrap_or_default();
        match self.seen.check(read) {
            Ok(()) => Ok(count),
            Err(fault) => {
                *self.seen.fault.borrow_mut() = Some(fault);
                Err(io::Error::other("ended by its bounds"))
            }
        }
    }
}
