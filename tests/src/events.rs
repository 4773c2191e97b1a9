//! The schemas of `deploy/events`, to hold events against that were really sent.

use jsonschema::Validator;
use mitalk_actors::events::TOPICS;
use serde_json::Value;
use std::collections::HashMap;
use std::path::Path;

/// One per topic.
#[derive(Debug)]
pub struct Schemas(HashMap<&'static str, Validator>);

impl Schemas {
    /// All of them.
    ///
    /// # Panics
    /// One is missing, or no schema.
    pub fn read() -> Self {
        let directory = Path::new(env!("CARGO_MANIFEST_DIR")).join("../deploy/events");
        let read = |topic: &'static str| {
            let path = directory.join(format!("{topic}.schema.json"));
            let text =
                std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let schema: Value = serde_json::from_str(&text).expect("a schema is JSON");
            jsonschema::draft202012::meta::validate(&schema)
                .unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            let validator = jsonschema::draft202012::new(&schema).expect("it was checked");
            (topic, validator)
        };
        Self(TOPICS.into_iter().map(read).collect())
    }

    /// What is wrong with an event of a topic.
    pub fn fault(&self, topic: &str, event: &Value) -> Option<String> {
        let mut faults = self.0[topic].iter_errors(event);
        faults
            .next()
            .map(|fault| format!("{}: {fault}", fault.instance_path()))
    }

    /// Holds an event against its topic's schema.
    ///
    /// # Panics
    /// It does not fit.
    pub fn check(&self, topic: &str, event: &Value) {
        if let Some(fault) = self.fault(topic, event) {
            panic!("{topic}: {fault} in {event:#}");
        }
    }
}
