//! The documentation of every key, taken from the one place that has it: the doc comments of the configuration structs.
//!
//! The sources of those structs are compiled in and read line by line: `///` lines, then `pub name: Type,`. A field
//! whose type is another struct of the same source is a section. A test holds this reading against what serde knows,
//! so a struct written in another way is noticed.

use std::sync::LazyLock;

/// Sections that have a struct here, in the order in which they are printed: name, source, struct.
const SECTIONS: &[(&str, &str, &str)] = &[
    ("storage", include_str!("storage.rs"), "Storage"),
    ("scylla", include_str!("../store/scylla/config.rs"), "Config"),
    ("kafka", include_str!("kafka.rs"), "Kafka"),
    ("http", include_str!("http.rs"), "Http"),
    ("operations", include_str!("operations.rs"), "Operations"),
    ("admin", include_str!("operations.rs"), "Admin"),
    ("auth", include_str!("auth.rs"), "Auth"),
    ("rates", include_str!("rates.rs"), "Rates"),
    ("sms", include_str!("../sms/config.rs"), "Config"),
    ("push", include_str!("../push/config.rs"), "Config"),
    ("media", include_str!("../../media/src/config.rs"), "Config"),
    (
        "cluster",
        include_str!("../../cluster/src/node/config.rs"),
        "Config",
    ),
    ("limits", include_str!("../../actors/src/limits.rs"), "Limits"),
    ("log", include_str!("log.rs"), "Log"),
];

/// A key or a section, and what it means.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Entry {
    /// The whole path, e.g. `http.listen` or `limits.rooms`.
    pub key: String,
    /// Its doc comment, as one paragraph.
    pub doc: String,
    /// Whether it is a table of further keys.
    pub section: bool,
    /// Whether it may be absent.
    pub optional: bool,
}

/// All sections and keys, each section directly before what is in it.
pub fn entries() -> &'static [Entry] {
    static ENTRIES: LazyLock<Vec<Entry>> = LazyLock::new(|| {
        let mut entries = Vec::new();
        for (name, source, strukt) in SECTIONS {
            entries.push(Entry {
                key: (*name).to_owned(),
                doc: struct_doc(source, strukt),
                section: true,
                optional: false,
            });
            collect(source, strukt, name, &mut entries);
        }
        entries
    });
    &ENTRIES
}

/// The entry of a key or section.
pub fn find(key: &str) -> Option<&'static Entry> {
    entries().iter().find(|entry| entry.key == key)
}

fn collect(source: &str, strukt: &str, path: &str, entries: &mut Vec<Entry>) {
    // Plain keys first: in TOML nothing can follow a sub-table in its parent.
    let (sections, keys): (Vec<_>, Vec<_>) = fields(source, strukt)
        .into_iter()
        .partition(|field| header(source, field.kind).is_some());
    let key_of = |field: &Field| format!("{path}.{}", field.name);
    entries.extend(keys.iter().map(|field| Entry {
        key: key_of(field),
        doc: field.doc.clone(),
        section: false,
        optional: field.kind.starts_with("Option<"),
    }));
    for field in sections {
        entries.push(Entry {
            key: key_of(&field),
            doc: field.doc.clone(),
            section: true,
            optional: false,
        });
        collect(source, field.kind, &key_of(&field), entries);
    }
}

struct Field<'a> {
    name: &'a str,
    kind: &'a str,
    doc: String,
}

/// The line of `pub struct <name> {`.
fn header(source: &str, name: &str) -> Option<usize> {
    source
        .lines()
        .position(|line| line == format!("pub struct {name} {{"))
}

fn struct_doc(source: &str, name: &str) -> String {
    let lines: Vec<_> = source.lines().collect();
    let before = &lines[..header(source, name).unwrap_or(0)];
    let doc: Vec<_> = before
        .iter()
        .rev()
        .skip_while(|line| line.starts_with("#["))
        .map_while(|line| line.strip_prefix("///"))
        .map(str::trim)
        .collect();
    doc.into_iter().rev().collect::<Vec<_>>().join(" ")
}

fn fields<'a>(source: &'a str, strukt: &str) -> Vec<Field<'a>> {
    let Some(start) = header(source, strukt) else {
        return Vec::new();
    };
    let mut doc = Vec::new();
    let mut fields = Vec::new();
    for line in source
        .lines()
        .skip(start + 1)
        .take_while(|line| *line != "}")
        .map(str::trim)
    {
        if let Some(text) = line.strip_prefix("///") {
            doc.push(text.trim());
        } else if let Some((name, kind)) = line.strip_prefix("pub ").and_then(|field| field.split_once(": "))
        {
            fields.push(Field {
                name,
                kind: kind.trim_end_matches(','),
                doc: doc.join(" "),
            });
            doc.clear();
        }
    }
    fields
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config::Config;

    /// Every leaf that serde writes, as a path.
    fn written(value: &toml::Value, path: &str, into: &mut Vec<String>) {
        match value {
            toml::Value::Table(table) => {
                for (name, value) in table {
                    let path = if path.is_empty() {
                        name.clone()
                    } else {
                        format!("{path}.{name}")
                    };
                    written(value, &path, into);
                }
            }
            _ => into.push(path.to_owned()),
        }
    }

    #[test]
    fn exactly_the_keys_that_serde_knows_are_documented() {
        let mut known = Vec::new();
        written(&toml::Value::try_from(Config::default()).unwrap(), "", &mut known);
        // What may be absent is not written when it is.
        let present = |entry: &&Entry| !entry.section && (!entry.optional || known.contains(&entry.key));
        let mut documented: Vec<_> = entries()
            .iter()
            .filter(present)
            .map(|entry| entry.key.clone())
            .collect();
        known.sort();
        documented.sort();
        assert_eq!(known, documented);
        assert!(
            entries().iter().all(|entry| !entry.doc.is_empty()),
            "every key says what it means"
        );
    }
}
