//! What people see of good and bad configurations.

mod file;
mod values;
mod gateway;
mod mounts;
mod links;
mod options;
mod secrets;
mod layered;
mod good;
mod guide;
mod anything;

use std::path::Path;
use std::sync::Arc;

use expect_test::Expect;

use protocol::{InProcess, Make, Options, Place, Violation};

use super::{Children, FileSource, Loaded, Problems, Sources, load};

/// The children that the tests take for compiled in.
const CHILDREN: [&str; 5] = ["auth", "data", "main", "notes", "toolbox"];

fn children() -> Children {
    let mut children = Children::new();
    for name in CHILDREN {
        children.insert(name, Arc::new(Picky));
    }
    children
}

/// A child whose one option, `rows`, is a whole number up to 9, and whose list `names` is of texts.
struct Picky;

impl Make for Picky {
    fn check(&self, options: &Options) -> Vec<Violation> {
        let values: serde_json::Value = serde_json::from_str(&options.values).unwrap();
        let wrong = |path: Vec<Place>, expected: &str| Violation {
            path,
            expected: expected.to_owned(),
            came: "never shown".to_owned(),
        };
        let mut found = Vec::new();
        for (name, value) in values.as_object().unwrap() {
            let path = vec![Place::Member(name.clone())];
            match name.as_str() {
                "rows" if value.as_u64().is_some_and(|rows| rows < 10) => {}
                "rows" => found.push(wrong(path, "a whole number up to 9")),
                "roots" => {}
                "url" if value.as_str() == Some("s3cret") => {}
                "url" => found.push(wrong(path, "the right URL")),
                "names" => {
                    for (index, _) in value.as_array().unwrap().iter().enumerate() {
                        let place = Place::Element(index);
                        found.push(wrong([path.clone(), vec![place]].concat(), "no name"));
                    }
                }
                _ => found.push(wrong(path, "a known name")),
            }
        }
        found
    }

    fn make(&self, _options: &Options) -> Result<Arc<dyn InProcess>, Vec<Violation>> {
        Err(Vec::new())
    }
}

/// Everything a test can say about where a configuration comes from.
#[derive(Default)]
struct Given<'a> {
    text: &'a str,
    environment: &'a [(&'a str, &'a str)],
    flags: &'a [(&'a str, &'a str)],
}

/// Writes the text to `routing.toml` in a folder of its own and loads it.
fn load_given(given: &Given<'_>) -> Result<Loaded, Problems> {
    let folder = tempfile::tempdir().unwrap();
    load_in(folder.path(), given)
}

fn load_in(folder: &Path, given: &Given<'_>) -> Result<Loaded, Problems> {
    let path = folder.join("routing.toml");
    std::fs::write(&path, given.text).unwrap();
    let own = |pairs: &[(&str, &str)]| {
        pairs.iter().map(|(name, text)| ((*name).to_owned(), (*text).to_owned())).collect()
    };
    load(Sources {
        file: FileSource::Path(&path),
        environment: own(given.environment),
        flags: own(given.flags),
        children: &children(),
    })
}

/// Loads a text, which must be bad, and compares what is printed; the folder is left out.
fn check(text: &str, expected: Expect) {
    check_given(&Given { text, ..Given::default() }, expected);
}

fn check_given(given: &Given<'_>, expected: Expect) {
    let folder = tempfile::tempdir().unwrap();
    let printed = match load_in(folder.path(), given) {
        Ok(_) => "nothing is wrong".to_owned(),
        Err(problems) => problems.to_string(),
    };
    expected.assert_eq(&without(folder.path(), &printed));
}

/// Loads a text, which must be good, and compares its warnings.
fn check_warnings(given: &Given<'_>, expected: Expect) {
    let folder = tempfile::tempdir().unwrap();
    let loaded = load_in(folder.path(), given).unwrap();
    let printed: Vec<String> = loaded.warnings.iter().map(ToString::to_string).collect();
    expected.assert_eq(&without(folder.path(), &printed.join("\n\n")));
}

fn without(folder: &Path, printed: &str) -> String {
    printed.replace(&format!("{}/", folder.display()), "")
}
