//! Opens a file below a folder without following a link: one that is put there after the path was
//! looked up leads nowhere.

use std::fs::File;
use std::io;
use std::path::Path;

/// Opens `path`, names below `root`, for reading.
///
/// # Errors
/// What is not there, what is a link, and any fault of the system.
#[cfg(unix)]
pub(super) fn open(root: &Path, path: &Path) -> io::Result<File> {
    use rustix::fs::{CWD, Mode, OFlags, openat};
    use std::path::Component;

    const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::CLOEXEC);
    // Of a pipe that was put there nobody waits for the other end.
    const FILE: OFlags = OFlags::RDONLY.union(OFlags::NONBLOCK).union(OFlags::CLOEXEC);

    let mut here = openat(CWD, root, FOLDER, Mode::empty())?;
    let mut parts = path.components().peekable();
    while let Some(part) = parts.next() {
        let Component::Normal(name) = part else {
            return Err(io::Error::from(io::ErrorKind::InvalidInput));
        };
        let kind = if parts.peek().is_some() { FOLDER } else { FILE };
        here = openat(&here, name, kind | OFlags::NOFOLLOW, Mode::empty())?;
    }
    let file = File::from(here);
    if !file.metadata()?.is_file() {
        return Err(io::Error::from(io::ErrorKind::InvalidInput));
    }
    Ok(file)
}

/// Opens `path`, names below `root`, for reading: elsewhere links are not told apart in time.
///
/// # Errors
/// Any fault of the system.
#[cfg(not(unix))]
pub(super) fn open(root: &Path, path: &Path) -> io::Result<File> {
    File::open(root.join(path))
}

#[cfg(test)]
#[cfg(unix)]
mod tests {
    use std::io::Read;
    use std::os::unix::fs::symlink;

    use super::*;

    #[test]
    fn no_link_is_followed_wherever_it_stands() {
        let folder = tempfile::tempdir().unwrap();
        let (root, outside) = (folder.path().join("root"), folder.path().join("outside"));
        std::fs::create_dir_all(root.join("deep")).unwrap();
        std::fs::create_dir(&outside).unwrap();
        std::fs::write(root.join("deep/a.csv"), "inside").unwrap();
        std::fs::write(outside.join("a.csv"), "outside").unwrap();
        symlink(&outside, root.join("linked")).unwrap();
        symlink(outside.join("a.csv"), root.join("deep/b.csv")).unwrap();

        let mut text = String::new();
        open(&root, Path::new("deep/a.csv")).unwrap().read_to_string(&mut text).unwrap();
        assert_eq!(text, "inside");
        for path in ["linked/a.csv", "deep/b.csv", "../outside/a.csv", "deep/../deep/a.csv", "deep"]
        {
            assert!(open(&root, Path::new(path)).is_err(), "{path}");
        }
        assert!(open(&root, &outside.join("a.csv")).is_err());
    }
}
