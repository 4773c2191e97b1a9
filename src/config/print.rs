//! `mitalk config print`: the configuration as a TOML file that says what each key means.

use super::{Config, docs};
use std::fmt::Write as _;

/// Comments are wrapped to this many characters, and longer lists have a line for each value.
const WIDTH: usize = 100;

impl Config {
    /// TOML with every key, each under its documentation. Reading it back gives the same configuration.
    ///
    /// # Panics
    /// Never for values that serde wrote: every default and every loaded configuration is such.
    pub fn to_documented_toml(&self) -> String {
        let all = toml::Value::try_from(self).expect("every configuration is writable as TOML");
        let mut text = String::from(
            "# Mi Talk's configuration. Every key may be left out: what stands here then counts.\n",
        );
        for entry in docs::entries() {
            let value = lookup(&all, &entry.key);
            text.push('\n');
            for line in wrapped(&entry.doc) {
                let _ = writeln!(text, "# {line}");
            }
            let name = entry.key.rsplit('.').next().unwrap_or(&entry.key);
            let _ = match value {
                _ if entry.section => writeln!(text, "[{}]", entry.key),
                Some(value) => writeln!(text, "{name} = {}", written(value)),
                None => writeln!(text, "# {name} = (not set)"),
            };
        }
        text
    }
}

fn lookup<'a>(value: &'a toml::Value, key: &str) -> Option<&'a toml::Value> {
    key.split('.').try_fold(value, |value, name| value.get(name))
}

fn written(value: &toml::Value) -> String {
    let line = value.to_string();
    match value.as_array() {
        Some(values) if line.len() > WIDTH => {
            let lines: String = values.iter().map(|value| format!("    {value},\n")).collect();
            format!("[\n{lines}]")
        }
        _ => line,
    }
}

fn wrapped(text: &str) -> Vec<String> {
    let mut lines = vec![String::new()];
    for word in text.split_whitespace() {
        let line = lines.last_mut().expect("there is always a line");
        if line.is_empty() {
            line.push_str(word);
        } else if line.len() + 1 + word.len() <= WIDTH {
            line.push(' ');
            line.push_str(word);
        } else {
            lines.push(word.to_owned());
        }
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_printed_reads_back_the_same() {
        let config = Config::default();
        let text = config.to_documented_toml();
        assert_eq!(toml::from_str::<Config>(&text).unwrap(), config, "{text}");
        assert!(text.lines().all(|line| line.len() <= 120), "{text}");
    }
}
