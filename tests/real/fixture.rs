//! The folder that one test's children work on: files, a Git repository, memories.

use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::atomic::{AtomicUsize, Ordering};

use tempfile::TempDir;

#[cfg(target_os = "linux")]
use harness::stray::Stray;

/// What stands for the fixture's own path wherever an answer mentions it.
pub(crate) const PLACE: &str = "FIXTURE";

/// A folder that goes away with the test.
pub(crate) struct Fixture {
    root: TempDir,
    memories: AtomicUsize,
}

impl Fixture {
    /// A variable that children get with the fixture's path, so that strays can be told.
    pub(crate) const MARK: &str = "GATEWAY_REAL_FIXTURE";

    pub(crate) fn new() -> Self {
        let root = TempDir::with_prefix("gateway-real-").expect("a temporary folder");
        let fixture = Self { root, memories: AtomicUsize::new(0) };
        std::fs::create_dir(fixture.files()).expect("a folder for files");
        std::fs::write(fixture.files().join("hello.txt"), "hello\n").expect("a text file");
        std::fs::write(fixture.files().join("tone.wav"), tone()).expect("a sound file");
        fixture.commit();
        fixture
    }

    /// The real path: servers resolve links before they compare or print paths.
    pub(crate) fn path(&self) -> PathBuf {
        self.root.path().canonicalize().expect("the fixture's folder")
    }

    pub(crate) fn files(&self) -> PathBuf {
        self.path().join("files")
    }

    pub(crate) fn repository(&self) -> PathBuf {
        self.path().join("repository")
    }

    /// A memory file that nobody used before.
    pub(crate) fn fresh_memory(&self) -> PathBuf {
        let number = self.memories.fetch_add(1, Ordering::Relaxed);
        self.path().join(format!("memory-{number}.jsonl"))
    }

    /// Writes a file into the fixture and says where.
    pub(crate) fn write(&self, name: &str, text: &str) -> PathBuf {
        let path = self.path().join(name);
        std::fs::write(&path, text).expect("a file in the fixture");
        path
    }

    /// Waits until no process is left that was started for this fixture, where that can be told.
    pub(crate) async fn assert_quiet(&self) {
        #[cfg(target_os = "linux")]
        for stray in Stray::all(&self.path()) {
            stray.ended().await;
        }
    }

    /// One commit whose hash is the same on every machine.
    fn commit(&self) {
        let repository = self.repository();
        std::fs::create_dir(&repository).expect("a folder for the repository");
        std::fs::write(repository.join("hello.txt"), "hello\n").expect("a file to commit");
        git(&repository, &["init", "--quiet", "--initial-branch=main"]);
        git(&repository, &["add", "hello.txt"]);
        git(&repository, &["commit", "--quiet", "--message", "first"]);
    }
}

fn git(repository: &Path, args: &[&str]) {
    let done = Command::new("git")
        .args(["-c", "commit.gpgsign=false", "-c", "core.autocrlf=false"])
        .args(args)
        .current_dir(repository)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_NAME", "Ada")
        .env("GIT_AUTHOR_EMAIL", "ada@example.org")
        .env("GIT_AUTHOR_DATE", "2026-01-02T03:04:05Z")
        .env("GIT_COMMITTER_NAME", "Ada")
        .env("GIT_COMMITTER_EMAIL", "ada@example.org")
        .env("GIT_COMMITTER_DATE", "2026-01-02T03:04:05Z")
        .status()
        .expect("git is needed: mcp-server-git calls it too");
    assert!(done.success(), "git {args:?} ended with {done}");
}

/// A wave file: eight-bit mono, 8 kHz, 64 samples.
fn tone() -> Vec<u8> {
    let samples: Vec<u8> = (0..64).collect();
    let length = u32::try_from(samples.len()).expect("64 fits");
    let mut wave = Vec::new();
    wave.extend(b"RIFF");
    wave.extend((36 + length).to_le_bytes());
    wave.extend(b"WAVEfmt ");
    wave.extend(16u32.to_le_bytes());
    wave.extend([1u16, 1].map(u16::to_le_bytes).concat());
    wave.extend([8000u32, 8000].map(u32::to_le_bytes).concat());
    wave.extend([1u16, 8].map(u16::to_le_bytes).concat());
    wave.extend(b"data");
    wave.extend(length.to_le_bytes());
    wave.extend(samples);
    wave
}
