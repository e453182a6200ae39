//! Finding the mount of a name or URI: the table first, then prefixes; ambiguity fails closed.

use protocol::json::ObjectWriter;
use protocol::{ErrorObject, Raw, error, extension, name, uri};

use super::mounted::Rules;
use super::view::{Snapshot, Target, View};
use crate::call::{Endpoint, Fault, Kind};

/// Names that are compared when the nearest to a wrong one is looked for.
const NEAREST_COMPARED_MAX: usize = 2000;
/// A name this similar (0 to 1) is worth suggesting.
const NEAREST_SIMILARITY_MIN: f64 = 0.6;
/// The longest wrong name that is compared, in bytes.
const NEAREST_BYTES_MAX: usize = 200;

/// Tools or prompts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Named {
    Tool,
    Prompt,
}

impl Snapshot {
    /// Where the tool or prompt `asked` leads, for a client with these capabilities.
    pub(super) fn name(
        &self,
        (endpoint, capabilities): (&Endpoint, &Raw),
        view: &View,
        kind: Named,
        asked: &str,
    ) -> Result<Target, Fault> {
        let (targets, pages, word) = match kind {
            Named::Tool => (&view.tool_targets, view.tools_for(capabilities), "tool"),
            Named::Prompt => (&view.prompt_targets, &view.prompts, "prompt"),
        };
        let unlisted = match targets.get(asked) {
            Some(target)
                if target.for_apps && !extension::declares(capabilities, extension::UI) =>
            {
                None
            }
            Some(target) => return Ok(target.clone()),
            None if view.bare => self.place_of(endpoint).map(|place| (place, asked.to_owned())),
            None => self.by_prefix(kind, asked),
        };
        let shown = unlisted.filter(|(place, own)| {
            self.rules(*place, kind).is_some_and(|rules| !(rules.hidden)(own))
        });
        match shown {
            Some((place, key)) => Ok(Target::unlisted(place, key)),
            None => Err(Fault::invalid(format!(
                "no {word} is named `{asked}`{}",
                nearest(asked, pages.keys())
            ))),
        }
    }

    /// What the child said of a name that no list shows, with the nearest that one does: the child
    /// was asked in case it knows more than it lists (check 165).
    pub(super) fn unlisted(view: &View, kind: Named, asked: &str, fault: Fault) -> Fault {
        let (targets, pages, word) = match kind {
            Named::Tool => (&view.tool_targets, &view.tools, "tool"),
            Named::Prompt => (&view.prompt_targets, &view.prompts, "prompt"),
        };
        match &fault.kind {
            Kind::Child(child)
                if child.code == error::INVALID_PARAMS && !targets.contains_key(asked) =>
            {
                let nearest = nearest(asked, pages.keys());
                match nearest.is_empty() {
                    true => fault,
                    false => Fault::invalid(format!("no {word} is named `{asked}`{nearest}")),
                }
            }
            _ => fault,
        }
    }

    fn rules(&self, place: usize, kind: Named) -> Option<&Rules> {
        let shape = &self.mounts.get(place)?.shape;
        Some(match kind {
            Named::Tool => &shape.tools,
            Named::Prompt => &shape.prompts,
        })
    }

    /// The mount with the longest matching prefix, else the only one without a prefix.
    fn by_prefix(&self, kind: Named, asked: &str) -> Option<(usize, String)> {
        let matching = self.mounts.iter().enumerate().filter_map(|(place, mounted)| {
            let rest = name::restore(&mounted.prefix, &self.naming.separator, asked)?;
            (!mounted.prefix.is_empty()).then_some((place, mounted, rest))
        });
        let (place, rest) = match matching.max_by_key(|(_, mounted, _)| mounted.prefix.len()) {
            Some((place, _, rest)) => (place, rest),
            None => (self.only_bare(|_| true)?, asked),
        };
        let own = self.rules(place, kind)?.own(rest)?;
        Some((place, own.to_owned()))
    }

    /// The place of the only mount without a prefix for which `also` holds.
    fn only_bare(&self, also: impl Fn(usize) -> bool) -> Option<usize> {
        let mut bare = (0..self.mounts.len()).filter(|place| {
            self.mounts.get(*place).is_some_and(|mounted| mounted.prefix.is_empty()) && also(*place)
        });
        let first = bare.next()?;
        bare.next().is_none().then_some(first)
    }

    fn place_of(&self, endpoint: &Endpoint) -> Option<usize> {
        let Endpoint::Mount(prefix) = endpoint else { return None };
        self.mounts.iter().position(|mounted| super::view::endpoint_name(mounted) == *prefix)
    }

    /// Where the resource or template `asked` leads.
    pub(super) fn uri(
        &self,
        endpoint: &Endpoint,
        view: &View,
        asked: &str,
    ) -> Result<Target, Fault> {
        let to = Target::unlisted;
        if let Some(target) = view.uri_targets.get(asked) {
            return Ok(target.clone());
        }
        if view.bare {
            let place = self.place_of(endpoint);
            return place.map(|place| to(place, asked.to_owned())).ok_or_else(|| missing(asked));
        }
        let owners = view.own_uris.get(asked).map(Vec::as_slice).unwrap_or_default();
        if let [place] = owners {
            // A listed URI is surer than the shape of one that is not.
            return Ok(to(*place, asked.to_owned()));
        }
        for candidate in uri::candidates(asked) {
            let place = self.mounts.iter().position(|mounted| {
                *mounted.prefix == *candidate && !candidate.is_empty() && !mounted.shape.keep_uris
            });
            let Some(place) = place else { continue };
            if let Some(own) = uri::restore(candidate, asked).filter(|_| !uri::is_web(asked)) {
                return Ok(to(place, own));
            }
        }
        if let Some(place) = self.one_of(owners.to_vec(), asked)? {
            return Ok(to(place, asked.to_owned()));
        }
        let fitting = view.open_templates.iter();
        let fitting = fitting.filter(|(start, _)| asked.starts_with(start.as_str()));
        if let Some(place) = self.one_of(fitting.map(|(_, place)| *place).collect(), asked)? {
            return Ok(to(place, asked.to_owned()));
        }
        let open = |mounted: &super::Mounted| mounted.prefix.is_empty() || mounted.shape.keep_uris;
        let open = self.mounts.iter().enumerate().filter(|(_, mounted)| open(mounted));
        match self.one_of(open.map(|(place, _)| place).collect(), asked) {
            Ok(Some(place)) => Ok(to(place, asked.to_owned())),
            _ => Err(missing(asked)),
        }
    }

    /// The one place in `places`; a fault when there are several different ones.
    fn one_of(&self, mut places: Vec<usize>, asked: &str) -> Result<Option<usize>, Fault> {
        places.sort_unstable();
        places.dedup();
        match places.as_slice() {
            [] => Ok(None),
            [one] => Ok(Some(*one)),
            several => {
                let names = several.iter().filter_map(|place| self.mounts.get(*place));
                let names: Vec<_> = names.map(|mounted| format!("`{}`", mounted.name)).collect();
                let text = format!(
                    "several mounts have `{asked}`: {}; ask for it by the URI that \
                     resources/list shows",
                    names.join(", ")
                );
                let kind = Kind::Invalid { uri: Some(asked.to_owned()) };
                Err(Fault::new(kind, text))
            }
        }
    }
}

/// No mount has this resource (checks 14, 166).
fn missing(asked: &str) -> Fault {
    let kind = Kind::Invalid { uri: Some(asked.to_owned()) };
    Fault::new(kind, format!("no resource has the URI `{asked}`"))
}

/// A feature that no mount of this endpoint offers (check 30).
pub(super) fn not_offered(method: &str) -> Fault {
    Fault::new(Kind::UnknownMethod, format!("nothing here offers {method}"))
}

/// The error of a child with its URI replaced.
pub(super) fn with_uri(error: &ErrorObject, asked: &str) -> ErrorObject {
    let mut error = error.clone();
    if error.code == error::INVALID_PARAMS && error.data.as_ref().is_some_and(|d| d.is_object()) {
        let data = error.data.take().unwrap_or_default();
        error.data = Some(protocol::rewrite::uri_member(&data, &|_| Some(asked.to_owned())));
    } else if error.code == error::INVALID_PARAMS && error.data.is_none() {
        error.data = Some(ObjectWriter::new().string("uri", asked).finish());
    }
    error
}

fn nearest<'k>(asked: &str, known: impl Iterator<Item = &'k str>) -> String {
    if asked.len() > NEAREST_BYTES_MAX {
        return String::new();
    }
    let scored = known
        .take(NEAREST_COMPARED_MAX)
        .map(|name| (strsim::normalized_damerau_levenshtein(asked, name), name));
    let best = scored.max_by(|one, other| one.0.total_cmp(&other.0));
    match best.filter(|(score, _)| *score >= NEAREST_SIMILARITY_MIN) {
        Some((_, name)) => format!("; the nearest is `{name}`"),
        None => String::new(),
    }
}
