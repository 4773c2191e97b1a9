//! Puts the sources together, and refuses what nobody knows.

use super::{Config, Error, docs};
use figment::providers::{Env, Format as _, Serialized, Toml};
use figment::value::{Dict, Value};
use figment::{Figment, Metadata, Profile, Provider};
use std::path::{Path, PathBuf};

/// Environment variables that configure a key start like this.
pub const ENVIRONMENT_PREFIX: &str = "MITALK_";
/// Between levels of a key in a variable's name. Every key has one: variables with the prefix and without this are not
/// ours, such as `MITALK_SERVICE_HOST` and `MITALK_PORT`, which Kubernetes gives to the pods beside a service of that name.
const LEVEL: &str = "__";
/// The file that is read when none is named and it exists.
const DEFAULT_FILE: &str = "mitalk.toml";
/// Names less alike than this are no typing error of each other.
const NEAR: f64 = 0.75;

/// Where configuration comes from, besides the environment and the defaults.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// `--config`.
    pub file: Option<PathBuf>,
    /// `--set key=value`, in order, later ones win.
    pub set: Vec<String>,
}

impl Sources {
    /// Reads, merges and checks.
    ///
    /// # Errors
    /// [`Error`] names the file, variable or flag, the key and what to do.
    pub fn load(&self) -> Result<Config, Error> {
        let mut figment = Figment::from(Serialized::defaults(Config::default()));
        if let Some(path) = self.path() {
            figment = figment.merge(checked(Toml::string(&read(&path)?), &path.display().to_string())?);
        }
        figment = figment.merge(checked(environment(), "the environment")?);
        for flag in &self.set {
            figment = figment.merge(checked(Flag::parse(flag)?, &format!("--set {flag}"))?);
        }
        let config: Config = figment.extract().map_err(form_error)?;
        config.validate()?;
        Ok(config)
    }

    /// The file that is read, if any.
    pub fn path(&self) -> Option<PathBuf> {
        self.file
            .clone()
            .or_else(|| Some(PathBuf::from(DEFAULT_FILE)).filter(|path| path.exists()))
    }
}

/// The file's text, if it is TOML at all: figment's own error has many lines and no path.
fn read(path: &Path) -> Result<String, Error> {
    let error = |reason: String| Error::File {
        path: path.to_owned(),
        reason,
    };
    let text = std::fs::read_to_string(path).map_err(|failed| error(failed.to_string()))?;
    match text.parse::<toml::Table>() {
        Ok(_) => Ok(text),
        Err(wrong) => {
            let before = wrong
                .span()
                .and_then(|span| text.get(..span.start))
                .unwrap_or_default();
            let line = before.matches('\n').count() + 1;
            Err(error(format!(
                "line {line}: {}",
                wrong.message().replace('\n', ", ")
            )))
        }
    }
}

fn environment() -> Env {
    Env::prefixed(ENVIRONMENT_PREFIX)
        .filter(|name| name.as_str().contains(LEVEL))
        .split(LEVEL)
}

/// One `--set`, as a source of its own, so that errors can name it.
struct Flag {
    text: String,
    values: Dict,
}

impl Flag {
    fn parse(flag: &str) -> Result<Self, Error> {
        let (key, value) = flag.split_once('=').ok_or_else(|| Error::Flag(flag.to_owned()))?;
        let value: Value = value
            .parse()
            .unwrap_or_else(|never: std::convert::Infallible| match never {});
        let nested = figment::util::nest(key.trim(), value);
        let values = nested.into_dict().ok_or_else(|| Error::Flag(flag.to_owned()))?;
        Ok(Self {
            text: format!("--set {flag}"),
            values,
        })
    }
}

impl Provider for Flag {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.text.clone())
    }

    fn data(&self) -> figment::Result<figment::value::Map<Profile, Dict>> {
        Ok(Profile::Default.collect(self.values.clone()))
    }
}

/// Hands `provider` on if all its keys are known.
fn checked<P: Provider>(provider: P, source_name: &str) -> Result<P, Error> {
    let data = provider.data().map_err(|error| Error::Form {
        key: error.path.join("."),
        source_name: source_name.to_owned(),
        reason: error.kind.to_string(),
    })?;
    for dict in data.values() {
        refuse_unknown(dict, "", source_name)?;
    }
    Ok(provider)
}

fn refuse_unknown(dict: &Dict, path: &str, source_name: &str) -> Result<(), Error> {
    for (name, value) in dict {
        let key = if path.is_empty() {
            name.clone()
        } else {
            format!("{path}.{name}")
        };
        match (docs::find(&key), value) {
            (Some(entry), Value::Dict(_, inner)) if entry.section => {
                refuse_unknown(inner, &key, source_name)?
            }
            (Some(entry), _) if entry.section => {
                return Err(Error::Form {
                    key,
                    source_name: source_name.to_owned(),
                    reason: "is a section: set keys in it, not the section itself".to_owned(),
                });
            }
            (Some(_), _) => {}
            (None, _) => return Err(unknown(key, path, source_name)),
        }
    }
    Ok(())
}

fn unknown(key: String, path: &str, source_name: &str) -> Error {
    let all = docs::entries().iter().map(|entry| entry.key.as_str());
    let nearest = all
        .map(|known| (strsim::jaro_winkler(known, &key), known))
        .filter(|(likeness, _)| *likeness >= NEAR)
        .max_by(|a, b| a.0.total_cmp(&b.0))
        .map(|(_, known)| known.to_owned());
    let known = docs::entries()
        .iter()
        .filter_map(|entry| match entry.key.rsplit_once('.') {
            Some((parent, name)) => (parent == path).then(|| name.to_owned()),
            None => path.is_empty().then(|| entry.key.clone()),
        })
        .collect();
    Error::UnknownKey {
        key,
        source_name: source_name.to_owned(),
        nearest,
        known,
    }
}

fn form_error(error: figment::Error) -> Error {
    let source_name = match &error.metadata {
        Some(metadata) => metadata.name.to_string(),
        None => "the configuration".to_owned(),
    };
    Error::Form {
        key: error.path.join("."),
        source_name,
        reason: error.kind.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(flags: &[&str]) -> Result<Config, Error> {
        let set = flags.iter().map(|flag| (*flag).to_owned()).collect();
        Sources {
            file: Some("/dev/null".into()),
            set,
        }
        .load()
    }

    #[test]
    fn flags_win_over_defaults_and_earlier_flags() {
        let config = set(&[
            "http.listen=127.0.0.1:1",
            "http.listen=127.0.0.1:2",
            "media.threads=3",
        ])
        .unwrap();
        assert_eq!(config.http.listen.port(), 2);
        assert_eq!(config.media.threads, 3);
        assert_eq!(
            config.media.bind,
            Config::default().media.bind,
            "the rest of a section stays"
        );
    }

    #[test]
    fn an_unknown_key_is_named_with_the_nearest_known_one() {
        let error = set(&["http.lisen=127.0.0.1:1"]).unwrap_err();
        assert_eq!(
            error.to_string(),
            "unknown key `http.lisen` in --set http.lisen=127.0.0.1:1; did you mean `http.listen`?"
        );
        let error = set(&["limits.notices.page=0"]).unwrap_err().to_string();
        assert_eq!(error, "limits.notices.page is at least 1");
        let error = set(&["limits.rooms.stage=60"]).unwrap_err().to_string();
        assert!(error.starts_with("limits.rooms.stage is 60"), "{error}");
        let error = set(&["limits.rooms.stge=3"]).unwrap_err().to_string();
        assert!(error.ends_with("did you mean `limits.rooms.stage`?"), "{error}");
        let error = set(&["qqqq=1"]).unwrap_err().to_string();
        assert!(
            error.contains("known here: storage, scylla, kafka, http, "),
            "{error}"
        );
    }

    #[test]
    fn wrong_types_and_values_name_their_key() {
        let error = set(&["http.listen=here"]).unwrap_err().to_string();
        assert!(
            error.starts_with("`http.listen` in --set http.listen=here: "),
            "{error}"
        );
        let error = set(&["auth.access_token_s=0"]).unwrap_err().to_string();
        assert!(error.starts_with("`auth.access_token_s` must be"), "{error}");
        let error = set(&["http=1"]).unwrap_err().to_string();
        assert!(error.contains("is a section"), "{error}");
        assert_eq!(
            set(&["http.listen"]).unwrap_err(),
            Error::Flag("http.listen".into())
        );
    }
}
