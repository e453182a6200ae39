//! `gateway new child`: a crate with a child of one's own, tests and a gateway around it.

use std::path::{Path, PathBuf};

use super::End;
use super::output::say;
use crate::args::NewChildArgs;

/// Longest name: it becomes that of a crate and of a mount.
const NAME_CHARS_MAX: usize = 31;

/// The child that all files are written for; its name is replaced.
const TEMPLATE: &str = "hello";

/// The files of a new crate besides its manifest, as the workspace builds and tests them.
const FILES: [(&str, &str); 5] = [
    ("src/lib.rs", include_str!("../../../template/src/lib.rs")),
    ("src/main.rs", include_str!("../../../template/src/main.rs")),
    ("tests/child.rs", include_str!("../../../template/tests/child.rs")),
    ("routing.toml", include_str!("../../../template/routing.toml")),
    (".gitignore", "/target\n"),
];

/// The manifest of the template, whose crates the new one has too.
const MANIFEST: &str = include_str!("../../../template/Cargo.toml");

/// The manifest of the workspace: which versions the child's crates have to be.
const WORKSPACE: &str = include_str!("../../../Cargo.toml");

/// Which version of each crate is used.
const LOCK: &str = "Cargo.lock";

/// Names that a crate cannot have here: its own template's, and those of crates that it uses.
const TAKEN: [&str; 13] = [
    "hello",
    "gateway",
    "upstreams",
    "protocol",
    "rmcp",
    "schemars",
    "serde",
    "serde-json",
    "tokio",
    "test",
    "std",
    "core",
    "alloc",
];

/// The words of Rust that are no names.
const WORDS: &str = "abstract as async await become box break const continue crate do dyn else \
    enum extern false final fn for gen if impl in let loop macro match mod move mut override priv \
    pub ref return self static struct super trait true try type typeof unsafe unsized use virtual \
    where while yield";

/// What is told of a new crate, before the way into it.
const WRITTEN: &str = "  src/lib.rs        its tool, resource and prompt
  tests/child.rs    they are called through a gateway
  routing.toml      where it is mounted, and its options

Try it:";

/// Writes the crate.
pub(super) fn new_child(args: &NewChildArgs) -> End {
    match write(args) {
        Ok(folder) => {
            let folder = folder.display();
            say(&format!("{folder} has the child `{}`:\n{WRITTEN}\n  cd {folder}", args.name));
            say("  cargo test\n  cargo run");
            End::Well
        }
        Err(text) => End::Wrong(text),
    }
}

fn write(args: &NewChildArgs) -> Result<PathBuf, String> {
    let name = args.name.as_str();
    check(name)?;
    let folder = args.path.clone().unwrap_or_else(|| PathBuf::from(name));
    if folder.exists() {
        let folder = folder.display();
        return Err(format!("{folder} is there already: give another place with --path"));
    }
    let source = source(args.source.as_deref())?;
    let manifest = manifest(name, &quoted(&source)?)?;
    let files = FILES.iter().map(|(file, text)| (*file, renamed(text, name)));
    for (file, text) in files.chain([("Cargo.toml", manifest)]) {
        let path = folder.join(file);
        let parent = path.parent().unwrap_or(&folder);
        let failed = |fault| format!("{} cannot be written: {fault}", path.display());
        std::fs::create_dir_all(parent).map_err(failed)?;
        std::fs::write(&path, text).map_err(failed)?;
    }
    // The versions that the gateway was tested with; cargo leaves out what the crate does not need.
    let (lock, copy) = (source.join(LOCK), folder.join(LOCK));
    if lock.is_file() {
        let failed = |fault| format!("{} cannot be written: {fault}", copy.display());
        std::fs::copy(&lock, &copy).map_err(failed)?;
    }
    Ok(folder)
}

/// Refuses a name that no mount or no crate can have.
fn check(name: &str) -> Result<(), String> {
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    let is_name = name.starts_with(|c: char| c.is_ascii_lowercase())
        && name.len() <= NAME_CHARS_MAX
        && name.chars().all(plain)
        && !name.ends_with('-');
    if !is_name {
        let shown: String = name.chars().filter(|c| !c.is_control()).take(60).collect();
        return Err(format!(
            "`{shown}` is no name for a child: expected a lower-case letter, then at most 30 \
             lower-case letters, digits and `-`, such as `weather`"
        ));
    }
    let is_builtin = || upstreams::builtins().iter().any(|(known, _)| *known == name);
    let is_word = || WORDS.split_whitespace().any(|word| word == name);
    if TAKEN.contains(&name) || is_word() || is_builtin() {
        return Err(format!("the name `{name}` is taken: choose another, such as `my-{name}`"));
    }
    Ok(())
}

/// The checkout of this project that the crate uses: the one that is named, or the one that this
/// program was built from.
fn source(given: Option<&Path>) -> Result<PathBuf, String> {
    let built = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap_or(Path::new("."));
    let folder = given.unwrap_or(built);
    let is_checkout =
        ["gateway", "upstreams"].iter().all(|part| folder.join(part).join("Cargo.toml").is_file());
    if !is_checkout {
        let folder = folder.display();
        return Err(format!(
            "{folder} is no checkout of this project, which the new crate uses: name one with \
             --source"
        ));
    }
    folder.canonicalize().map_err(|fault| format!("{}: {fault}", folder.display()))
}

/// A path within a text of a manifest.
fn quoted(path: &Path) -> Result<String, String> {
    let text = path.to_str().ok_or("the path of the checkout is no UTF-8 text")?;
    Ok(text.replace('\\', "\\\\").replace('"', "\\\""))
}

/// A file of the template for a child of another name; a path in Rust has `_` for `-`.
fn renamed(text: &str, name: &str) -> String {
    let crate_name = name.replace('-', "_");
    let mut parts = text.split(TEMPLATE);
    let mut written = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        written.push_str(if part.starts_with("::") { &crate_name } else { name });
        written.push_str(part);
    }
    written
}

/// The manifest: the crates of the template, with the versions and features of the workspace.
fn manifest(name: &str, source: &str) -> Result<String, String> {
    let read = |text: &str| text.parse::<toml::Table>().map_err(|fault| fault.to_string());
    let (workspace, template) = (read(WORKSPACE)?, read(MANIFEST)?);
    let known = workspace.get("workspace").and_then(|table| table.get("dependencies"));
    let mut text = format!(
        "[package]\nname = \"{name}\"\nversion = \"0.1.0\"\nedition = \"2024\"\npublish = false\n"
    );
    for section in ["dependencies", "dev-dependencies"] {
        text.push_str(&format!("\n[{section}]\n"));
        let crates = template.get(section).and_then(toml::Value::as_table);
        for one in crates.into_iter().flat_map(toml::Table::keys) {
            let entry =
                known.and_then(|known| known.get(one)).ok_or("a crate without a version")?;
            let entry = match entry.get("path").and_then(toml::Value::as_str) {
                Some(path) => format!("{{ path = \"{source}/{path}\" }}"),
                None => entry.to_string(),
            };
            text.push_str(&format!("{one} = {entry}\n"));
        }
    }
    text.push_str("\n# A workspace of its own, wherever the folder stands.\n[workspace]\n");
    Ok(text)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use gateway::Children;
    use gateway::config::{FileSource, Sources, load};
    use protocol::child::{InProcess, Make, Options, Violation};

    use super::*;

    /// Stands for the child of a new crate: it has the option `greeting` and is never made.
    struct Greeter;

    impl Make for Greeter {
        fn check(&self, options: &Options) -> Vec<Violation> {
            assert_eq!(&*options.values, r#"{"greeting":"Hello"}"#);
            Vec::new()
        }

        fn make(&self, _options: &Options) -> Result<Arc<dyn InProcess>, Vec<Violation>> {
            Err(Vec::new())
        }
    }

    fn args(name: &str, path: PathBuf) -> NewChildArgs {
        NewChildArgs { name: name.to_owned(), path: Some(path), source: None }
    }

    #[test]
    fn a_new_crate_has_its_own_name_everywhere_and_the_versions_of_the_workspace() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("deep/weather");
        write(&args("weather-now", path.clone())).unwrap();
        for (file, _) in FILES {
            let text = std::fs::read_to_string(path.join(file)).unwrap();
            assert!(!text.contains(TEMPLATE), "{file}");
        }
        let program = std::fs::read_to_string(path.join("src/main.rs")).unwrap();
        assert!(program.contains("use weather_now::Child;"), "{program}");
        let manifest = std::fs::read_to_string(path.join("Cargo.toml")).unwrap();
        let manifest: toml::Table = manifest.parse().unwrap();
        let workspace: toml::Table = WORKSPACE.parse().unwrap();
        assert_eq!(manifest["package"]["name"].as_str(), Some("weather-now"));
        assert_eq!(
            manifest["dependencies"]["rmcp"],
            workspace["workspace"]["dependencies"]["rmcp"]
        );
        let gateway = manifest["dependencies"]["gateway"]["path"].as_str().unwrap();
        assert!(Path::new(gateway).join("Cargo.toml").is_file(), "{gateway}");
        assert!(path.join(LOCK).is_file());
        let routing = std::fs::read_to_string(path.join("routing.toml")).unwrap();
        assert!(routing.contains("in_process = \"weather-now\""), "{routing}");
        let loaded = load(Sources {
            file: FileSource::Path(&path.join("routing.toml")),
            environment: Vec::new(),
            flags: Vec::new(),
            children: &Children::from([("weather-now", Arc::new(Greeter) as Arc<dyn Make>)]),
        });
        let loaded = loaded.unwrap_or_else(|problems| panic!("{problems}"));
        let mounts: Vec<&str> =
            loaded.config.mounts.iter().map(|mount| mount.name.as_str()).collect();
        assert_eq!(mounts, ["weather-now"]);
    }

    #[test]
    fn a_name_that_holds_that_of_the_template_is_written_once() {
        let text = "use hello::Child; // hello://greetings, [mounts.hello]";
        let written = "use say_hello::Child; // say-hello://greetings, [mounts.say-hello]";
        assert_eq!(renamed(text, "say-hello"), written);
    }

    #[test]
    fn a_folder_that_is_there_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        let told = write(&args("weather", folder.path().to_owned())).unwrap_err();
        assert!(told.ends_with("is there already: give another place with --path"), "{told}");
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }

    #[test]
    fn names_that_cannot_be_are_explained() {
        for name in ["", "Weather", "a_b", "7up", "a-", "über", "../x", &"a".repeat(32)] {
            assert!(check(name).unwrap_err().contains("is no name for a child"), "{name}");
        }
        for name in ["rmcp", "serde-json", "notes", "main", "self", "match"] {
            assert!(check(name).unwrap_err().contains("is taken"), "{name}");
        }
        let folder = tempfile::tempdir().unwrap();
        let nowhere = NewChildArgs {
            source: Some(folder.path().to_owned()),
            ..args("a", folder.path().join("a"))
        };
        assert!(write(&nowhere).unwrap_err().contains("is no checkout of this project"));
        assert!(!folder.path().join("a").exists());
    }
}
