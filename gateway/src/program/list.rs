//! `gateway list`: what the mounts offer.

use protocol::json::{Members, ObjectWriter, array};
use protocol::{Method, Raw};

use super::End;
use super::output::{counted, lines, note, say, short, table};
use super::whom::Whom;
use crate::args::{ListArgs, Listed};

/// The widest description, in characters.
const DESCRIPTION_MAX: usize = 90;

/// A list on the wire: whose it is, its method, its member, one of it in words, its key.
const LISTS: [(Listed, Method, &str, &str, &str); 4] = [
    (Listed::Tools, Method::ToolsList, "tools", "tool", "name"),
    (Listed::Resources, Method::ResourcesList, "resources", "resource", "uri"),
    (
        Listed::Resources,
        Method::TemplatesList,
        "resourceTemplates",
        "resource template",
        "uriTemplate",
    ),
    (Listed::Prompts, Method::PromptsList, "prompts", "prompt", "name"),
];

pub(super) async fn list(args: &ListArgs) -> End {
    let whom = match Whom::find(&args.whom).await {
        Ok(whom) => whom,
        Err(end) => return end,
    };
    let end = print(&whom, args).await;
    let absent = whom.absent();
    whom.leave().await;
    if !absent.is_empty() {
        note(absent.trim());
    }
    end
}

async fn print(whom: &Whom, args: &ListArgs) -> End {
    let mut object = ObjectWriter::new();
    let mut text = String::new();
    for (list, method, member, noun, key) in LISTS {
        if args.what.is_some_and(|what| what != list) {
            continue;
        }
        let entries = match whom.list(&method, member).await {
            Ok(entries) => entries,
            Err(end) => return end,
        };
        if args.json {
            object = object.raw(member, &array(entries.iter().map(Raw::as_str)));
            continue;
        }
        if !text.is_empty() {
            text.push_str("\n\n");
        }
        text.push_str(&counted(entries.len(), noun));
        if !entries.is_empty() {
            text.push('\n');
            text.push_str(&rows(&entries, key));
        }
    }
    say(if args.json { object.finish().to_string() } else { text }.as_str());
    End::Well
}

fn rows(entries: &[Raw], key: &str) -> String {
    let mut table = table(&[key, "description"]);
    for entry in entries {
        let Ok(members) = Members::read(entry) else { continue };
        let get = |key: &str| members.get_string(key).unwrap_or_default().into_owned();
        let described = [get("description"), get("title"), get("name")];
        let described = described.into_iter().find(|text| !text.is_empty()).unwrap_or_default();
        table.add_row([get(key), short(&described, DESCRIPTION_MAX)]);
    }
    lines(&table)
}
