//! The layers of a configuration: defaults, the file, the environment, flags; later wins.

use std::collections::BTreeMap;

use figment::value::{Dict, Empty, Map, Tag, Value};
use figment::{Figment, Metadata, Profile, Provider};
use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::document::Spot;
use super::keys::{GATEWAY, HEALTH, Key, Kind, LIMITS, MOUNT, Place, SHAPE, place};
use super::path::KeyPath;
use super::reading::{At, ENVIRONMENT, FILE, FLAG, Layer, Reading};
use super::variables::{self, Setting};

/// The values of one layer; figment remembers with each which layer gave it.
struct Provided {
    layer: &'static str,
    /// The variable or the flag.
    name: String,
    values: Dict,
}

impl Provider for Provided {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.layer).source(figment::Source::Custom(self.name.clone()))
    }

    fn data(&self) -> figment::error::Result<Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// Merges all layers, makes them the layers of the reading, and gives the root table.
pub(super) fn merge(flags: &[(String, String)], reading: &mut Reading<'_>) -> Dict {
    let document = reading.document();
    let values = table(document.tree(), &KeyPath::default(), reading);
    let name = document.name().to_owned();
    let mut layers = Figment::from(Provided { layer: FILE, name, values });

    let settings = variables::settings(reading);
    for Setting { name, path, text } in settings {
        let at = At { path, layer: Layer::Environment(name.clone()), spot: Spot::Value };
        let values = setting(&at, &text, reading);
        layers = layers.merge(Provided { layer: ENVIRONMENT, name, values });
    }
    for (name, text) in flags {
        let path = variables::flag_path(name);
        let at = At { path, layer: Layer::Flag(name.clone()), spot: Spot::Value };
        let values = setting(&at, text, reading);
        layers = layers.merge(Provided { layer: FLAG, name: name.clone(), values });
    }
    // The defaults of a mount can only be laid once its name is known: under all the others.
    let names = mount_names(&root(&layers));
    let defaults = defaults(names.iter().map(String::as_str));
    layers = layers.join(Provided { layer: "default", name: String::new(), values: defaults });
    let root = root(&layers);
    reading.set_layers(layers);
    root
}

/// The merged root table.
fn root(layers: &Figment) -> Dict {
    let mut profiles = layers.data().unwrap_or_default();
    profiles.remove(&Profile::Default).unwrap_or_default()
}

fn mount_names(root: &Dict) -> Vec<String> {
    match root.get("mounts") {
        Some(Value::Dict(_, mounts)) => mounts.keys().cloned().collect(),
        _ => Vec::new(),
    }
}

/// The default of every key that has one, for the gateway and for mounts of these names.
pub(super) fn defaults<'n>(mounts: impl Iterator<Item = &'n str>) -> Dict {
    let mut gateway = of_keys(GATEWAY);
    gateway.insert("limits".to_owned(), of_keys(LIMITS).into());
    let mut mount = of_keys(MOUNT);
    mount.insert("health".to_owned(), of_keys(HEALTH).into());
    mount.insert("tools".to_owned(), of_keys(SHAPE).into());
    mount.insert("prompts".to_owned(), of_keys(SHAPE).into());
    let mounts: Dict = mounts.map(|name| (name.to_owned(), mount.clone().into())).collect();
    BTreeMap::from([("gateway".to_owned(), gateway.into()), ("mounts".to_owned(), mounts.into())])
}

fn of_keys(keys: &[&Key]) -> Dict {
    let with_default = keys.iter().filter(|key| !key.default.is_empty());
    let parsed = with_default.filter_map(|key| {
        let value = DeValue::parse(key.default).ok()?;
        Some((key.name.to_owned(), scalar(value.get_ref())?))
    });
    parsed.collect()
}

/// The values of a table of the file; what can stand nowhere becomes a problem and is left empty.
fn table(table: &DeTable<'_>, path: &KeyPath, reading: &mut Reading<'_>) -> Dict {
    let entries = table.iter().map(|(key, value)| {
        let path = path.key(key.get_ref());
        (key.get_ref().to_string(), from_file(value, path, reading))
    });
    entries.collect()
}

fn from_file(value: &Spanned<DeValue<'_>>, path: KeyPath, reading: &mut Reading<'_>) -> Value {
    match value.get_ref() {
        DeValue::Table(inside) => table(inside, &path, reading).into(),
        // Told here, since a layer above may lay a table over it.
        _ if matches!(place(&path), Place::Table(_) | Place::Open) => {
            let message = format!("expected a table, found {}", kind_of(value.get_ref()));
            let help = match path.keys().as_slice() {
                ["mounts"] => "write a table: [mounts.NAME]".to_owned(),
                _ => format!("write a table: [{path}]"),
            };
            let at = At { path, layer: Layer::File, spot: Spot::Value };
            reading.wrong(&at, message, help);
            Value::Empty(Tag::Default, Empty::Unit)
        }
        DeValue::Array(elements) => {
            let elements = elements.iter().enumerate();
            let values: Vec<Value> = elements
                .map(|(index, element)| from_file(element, path.index(index), reading))
                .collect();
            values.into()
        }
        other => scalar(other).unwrap_or_else(|| {
            let at = At { path, layer: Layer::File, spot: Spot::Value };
            let (message, help) = match other {
                DeValue::Datetime(_) => ("no key takes a date", "put it in quotes"),
                _ => ("this number is too large", ""),
            };
            reading.wrong(&at, message, help);
            Value::Empty(Tag::Default, Empty::Unit)
        }),
    }
}

/// The kind of a value in a message.
fn kind_of(value: &DeValue<'_>) -> &'static str {
    match value {
        DeValue::Datetime(_) => "a date",
        DeValue::Array(_) => "a list",
        other => scalar(other).map_or("a number", |value| super::table::kind_of(&value)),
    }
}

/// A value that is neither a date nor too large; tables and lists only where they are empty.
fn scalar(value: &DeValue<'_>) -> Option<Value> {
    match value {
        DeValue::String(text) => Some(text.to_string().into()),
        DeValue::Boolean(switch) => Some((*switch).into()),
        DeValue::Integer(number) => {
            i64::from_str_radix(number.as_str(), number.radix()).ok().map(Value::from)
        }
        DeValue::Float(number) => number.as_str().parse::<f64>().ok().map(Value::from),
        DeValue::Array(elements) if elements.is_empty() => Some(Vec::<Value>::new().into()),
        DeValue::Table(entries) if entries.is_empty() => Some(Dict::new().into()),
        DeValue::Datetime(_) | DeValue::Array(_) | DeValue::Table(_) => None,
    }
}

/// The tables that a variable or a flag sets, read as the type that stands at its path.
fn setting(at: &At, text: &str, reading: &mut Reading<'_>) -> Dict {
    let value = match place(&at.path) {
        Place::Leaf(key) => typed(key, at, text, reading),
        Place::Table(_) | Place::Open => {
            let example = match &at.layer {
                Layer::Environment(name) => format!("{name}__KEY=value"),
                _ => format!("{}.key=value", at.path),
            };
            let message = "this is a table, which has no value of its own";
            reading.wrong(at, message, format!("set its keys one by one: {example}"));
            return Dict::new();
        }
        Place::Option => option(text),
        // What is not known is refused by whoever reads the table it stands in.
        Place::Unknown if let Some(leaf) = leaf_above(&at.path) => {
            reading.wrong(at, format!("`{leaf}` is no table, which could have keys"), "");
            return Dict::new();
        }
        Place::Entry { .. } | Place::Reference(_) | Place::Unknown => Value::from(text),
    };
    let keys = at.path.keys();
    let mut keys = keys.into_iter().rev();
    let Some(last) = keys.next() else { return Dict::new() };
    let leaf = BTreeMap::from([(last.to_owned(), value)]);
    keys.fold(leaf, |values, key| BTreeMap::from([(key.to_owned(), values.into())]))
}

/// A number, `true`, `false` or a list of texts as TOML writes it; anything else is a text.
fn option(text: &str) -> Value {
    let parsed = DeValue::parse(text).ok();
    let parsed = parsed.and_then(|value| match value.get_ref() {
        DeValue::Array(elements) => {
            let elements = elements.iter().map(|element| scalar(element.get_ref()));
            elements.collect::<Option<Vec<Value>>>().map(Value::from)
        }
        other => scalar(other),
    });
    parsed.unwrap_or_else(|| text.into())
}

/// The value in which a path looks for a key, though it is no table.
fn leaf_above(path: &KeyPath) -> Option<KeyPath> {
    let keys = path.keys();
    let above = (1..keys.len()).map(|count| KeyPath::of(keys.get(..count).unwrap_or_default()));
    above.into_iter().find(|above| matches!(place(above), Place::Leaf(_)))
}

fn typed(key: &Key, at: &At, text: &str, reading: &mut Reading<'_>) -> Value {
    match key.kind {
        Kind::Switch => text.parse::<bool>().map_or_else(|_| text.into(), Value::from),
        Kind::Count(..) | Kind::Bytes(..) => {
            text.parse::<i64>().map_or_else(|_| text.into(), Value::from)
        }
        Kind::Texts if !text.trim_start().starts_with('[') => {
            let elements = text.split(',').map(str::trim).filter(|element| !element.is_empty());
            elements.map(Value::from).collect::<Vec<_>>().into()
        }
        Kind::Texts | Kind::SecretList => list(at, text, reading),
        _ => text.into(),
    }
}

/// A TOML list of texts.
fn list(at: &At, text: &str, reading: &mut Reading<'_>) -> Value {
    let parsed = DeValue::parse(text).ok();
    let elements = parsed.as_ref().and_then(|value| value.get_ref().as_array());
    let texts: Option<Vec<Value>> = elements.and_then(|elements| {
        elements.iter().map(|element| element.get_ref().as_str().map(Value::from)).collect()
    });
    match texts {
        Some(texts) => texts.into(),
        None => {
            let message = "expected a list of texts as TOML writes it";
            reading.wrong(at, message, at.write("[\"one\", \"two\"]"));
            Value::Empty(Tag::Default, Empty::Unit)
        }
    }
}
