//! The service's secrets: files in the data directory that only their owner and group may read, made on the first start.
//!
//! `secrets.json` has the lookup key (never rotated, see [`mitalk_actors::secrets`]) and the master keys, newest first,
//! from which everything else is derived; `admin-token` is what operators show. The files are written whole and synced
//! before they get their name, so a crash leaves either none or a complete one; two processes that start at once agree
//! on whoever was first.
//!
//! Invariants: no key is printed or logged; a file that everybody may read or that is damaged is refused, never replaced:
//! new keys in its place would lose every account. Nor are keys made, or taken from another installation, beside a database
//! that was written with others: it knows the [fingerprint](Secrets::fingerprint) of its lookup key.

use crate::store::WrittenWith;
use aws_lc_rs::{hkdf, hmac};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use mitalk_actors::secrets::{self, KEY_BYTES, MAX_MASTERS, Master};
use serde::{Deserialize, Serialize};
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

/// The file's name in the data directory.
pub const FILE: &str = "secrets.json";
/// The version of the file's format.
const VERSION: u16 = 1;
/// Read and write for the owner only.
const MODE: u32 = 0o600;
/// Any right of people who are neither the owner nor in the group.
const OTHERS: u32 = 0o007;
/// Bytes of the operators' token.
const TOKEN_BYTES: usize = 32;
/// The shortest operators' token that is accepted, in characters.
const MIN_TOKEN_CHARS: usize = 24;

/// Secrets that cannot be read or made. What to do is in the text.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// The system refused.
    #[error("{}: {source}; the data directory must be writable for the user that runs mitalk", path.display())]
    Io {
        /// Which file.
        path: PathBuf,
        /// Its words.
        source: io::Error,
    },
    /// Others may read it.
    #[error("{} can be read by everybody: run chmod 600 on it, and consider its keys known", .0.display())]
    Open(PathBuf),
    /// It is not what was written.
    #[error(
        "{} is damaged or from a newer release ({reason}): restore it from a backup. Do not delete it: without its keys \
         no account can be found again", path.display()
    )]
    Damaged {
        /// Which file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
    },
    /// There are none, and the database needs those that it was written with.
    #[error(
        "{} is missing, but the database beside it has people in it: restore that file from a backup, from the same time \
         or later. New keys would find none of their accounts", .0.display()
    )]
    Missing(PathBuf),
    /// They are another installation's.
    #[error(
        "{} is not the file that the database beside it was written with: restore the right one from a backup. With this \
         one no account would be found", .0.display()
    )]
    Foreign(PathBuf),
    /// The keys that push services know are not what was written.
    #[error(
        "{} is damaged or from a newer release: restore it from a backup, or make new keys with mitalk admin vapid new; \
         people are pushed to again once they have opened the app", .0.display()
    )]
    Vapid(PathBuf),
    /// Too many keys are valid at once.
    #[error(
        "{MAX_MASTERS} master keys are valid already: remove the oldest, once nothing uses it, before adding one"
    )]
    TooManyKeys,
}

/// All keys, as read from the file.
pub struct Secrets {
    lookup: [u8; KEY_BYTES],
    masters: Vec<Master>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Stored {
    version: u16,
    lookup: String,
    masters: Vec<StoredMaster>,
}

#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct StoredMaster {
    kid: String,
    key: String,
}

impl Secrets {
    /// Reads the keys of a data directory, and makes them first if there are none.
    ///
    /// # Errors
    /// [`Error`].
    pub fn load_or_create(data_dir: &Path) -> Result<Self, Error> {
        let path = data_dir.join(FILE);
        if !path.exists() {
            fs::create_dir_all(data_dir).map_err(io_error(data_dir))?;
            let fresh = Self {
                lookup: secrets::random(),
                masters: vec![new_master()],
            };
            write_new(&path, fresh.encode().as_bytes())?;
            tracing::info!(path = %path.display(), "made new secrets");
        }
        Self::load(data_dir)
    }

    /// Reads the keys of a data directory.
    ///
    /// # Errors
    /// [`Error`], also if there are none.
    pub fn load(data_dir: &Path) -> Result<Self, Error> {
        let path = data_dir.join(FILE);
        let text = read_private(&path)?;
        Self::decode(&text).map_err(|reason| Error::Damaged { path, reason })
    }

    /// Recognises the lookup key without giving it away: HMAC-SHA256 of a constant.
    pub fn fingerprint(&self) -> [u8; KEY_BYTES] {
        let key = hmac::Key::new(hmac::HMAC_SHA256, &self.lookup);
        let tag = hmac::sign(&key, b"mitalk/lookup-key/fingerprint/1");
        tag.as_ref()
            .try_into()
            .expect("HMAC-SHA256 gives as many bytes as a key has")
    }

    /// Reads the keys that a database was written with, or makes them if it was written with none.
    ///
    /// # Errors
    /// [`Error`]; [`Error::Missing`] and [`Error::Foreign`] where the database has others.
    pub fn for_database(data_dir: &Path, written: &WrittenWith) -> Result<Self, Error> {
        if *written == WrittenWith::Nothing {
            return Self::load_or_create(data_dir);
        }
        Self::load_for(data_dir, written)
    }

    /// Looks whether a start beside a database would find the keys that it needs; false if it would make them. Changes
    /// nothing.
    ///
    /// # Errors
    /// As for [`Secrets::for_database`].
    pub fn check(data_dir: &Path, written: &WrittenWith) -> Result<bool, Error> {
        let is_there = data_dir.join(FILE).exists();
        if is_there || *written != WrittenWith::Nothing {
            Self::load_for(data_dir, written)?;
        }
        Ok(is_there)
    }

    fn load_for(data_dir: &Path, written: &WrittenWith) -> Result<Self, Error> {
        let path = data_dir.join(FILE);
        if !path.exists() {
            return Err(Error::Missing(path));
        }
        let secrets = Self::load(data_dir)?;
        match written {
            WrittenWith::Key(fingerprint) if secrets.fingerprint() != fingerprint[..] => {
                Err(Error::Foreign(path))
            }
            _ => Ok(secrets),
        }
    }

    /// Adds a master key that signs and seals from the next start on; older ones stay valid.
    ///
    /// # Errors
    /// [`Error`]; [`Error::TooManyKeys`] leaves everything as it was.
    pub fn rotate(data_dir: &Path) -> Result<Arc<str>, Error> {
        let mut secrets = Self::load(data_dir)?;
        if secrets.masters.len() >= MAX_MASTERS {
            return Err(Error::TooManyKeys);
        }
        let master = new_master();
        let kid = master.kid.clone();
        secrets.masters.insert(0, master);
        replace(&data_dir.join(FILE), secrets.encode().as_bytes())?;
        Ok(kid)
    }

    /// The keys of the domain.
    ///
    /// # Errors
    /// What is wrong with the master keys.
    pub fn domain(&self) -> Result<secrets::Secrets, secrets::Error> {
        secrets::Secrets::new(self.lookup, &self.masters)
    }

    /// One key per master for `purpose`, with its id, newest first. `purpose` is a constant of its user, and none of the
    /// purposes of [`mitalk_actors::secrets`].
    pub fn derived(&self, purpose: &str) -> Vec<(Arc<str>, [u8; KEY_BYTES])> {
        let salt = hkdf::Salt::new(hkdf::HKDF_SHA256, b"mitalk/edge/1");
        self.masters
            .iter()
            .map(|master| {
                let mut key = [0; KEY_BYTES];
                salt.extract(&master.key)
                    .expand(&[purpose.as_bytes()], hkdf::HKDF_SHA256)
                    .and_then(|okm| okm.fill(&mut key))
                    .expect("32 bytes are within what HKDF-SHA256 gives");
                (master.kid.clone(), key)
            })
            .collect()
    }

    fn encode(&self) -> String {
        let stored = Stored {
            version: VERSION,
            lookup: STANDARD.encode(self.lookup),
            masters: self
                .masters
                .iter()
                .map(|master| StoredMaster {
                    kid: master.kid.to_string(),
                    key: STANDARD.encode(master.key),
                })
                .collect(),
        };
        serde_json::to_string_pretty(&stored).expect("text and numbers are always JSON") + "\n"
    }

    fn decode(text: &str) -> Result<Self, String> {
        // serde_json quotes what it does not like: keep its place, not its words, out of logs.
        let stored: Stored = serde_json::from_str(text).map_err(|error| {
            format!(
                "not understood at line {} column {}",
                error.line(),
                error.column()
            )
        })?;
        if stored.version != VERSION {
            return Err(format!(
                "version {}, this release reads {VERSION}",
                stored.version
            ));
        }
        let key = |text: &str| {
            let bytes = STANDARD
                .decode(text)
                .map_err(|_| "a key is not base64".to_owned())?;
            <[u8; KEY_BYTES]>::try_from(bytes).map_err(|_| format!("a key has not {KEY_BYTES} bytes"))
        };
        let masters = stored
            .masters
            .iter()
            .map(|master| {
                Ok(Master {
                    kid: master.kid.as_str().into(),
                    key: key(&master.key)?,
                })
            })
            .collect::<Result<Vec<_>, String>>()?;
        let secrets = Self {
            lookup: key(&stored.lookup)?,
            masters,
        };
        secrets.domain().map_err(|error| error.to_string())?;
        Ok(secrets)
    }
}

/// Reads the operators' token, and makes it first if the file is missing.
///
/// # Errors
/// [`Error`]; a token that is too short to be safe is [`Error::Damaged`].
pub fn admin_token(path: &Path) -> Result<String, Error> {
    if !path.exists() {
        let token = URL_SAFE_NO_PAD.encode(secrets::random::<TOKEN_BYTES>());
        write_new(path, format!("{token}\n").as_bytes())?;
    }
    let token = read_private(path)?.trim().to_owned();
    if token.len() < MIN_TOKEN_CHARS {
        let reason = format!("a token of fewer than {MIN_TOKEN_CHARS} characters");
        return Err(Error::Damaged {
            path: path.to_owned(),
            reason,
        });
    }
    Ok(token)
}

fn new_master() -> Master {
    let id: [u8; 6] = secrets::random();
    Master {
        kid: URL_SAFE_NO_PAD.encode(id).into(),
        key: secrets::random(),
    }
}

fn io_error(path: &Path) -> impl FnOnce(io::Error) -> Error {
    let path = path.to_owned();
    move |source| Error::Io { path, source }
}

pub(crate) fn read_private(path: &Path) -> Result<String, Error> {
    let mode = fs::metadata(path).map_err(io_error(path))?.permissions().mode();
    if mode & OTHERS != 0 {
        return Err(Error::Open(path.to_owned()));
    }
    fs::read_to_string(path).map_err(io_error(path))
}

/// Gives complete content its name, unless the name is taken: then whoever was first has won.
pub(crate) fn write_new(path: &Path, content: &[u8]) -> Result<(), Error> {
    let temporary = write_beside(path, content)?;
    let linked = fs::hard_link(&temporary, path);
    let _ = fs::remove_file(&temporary);
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(io_error(path)(error)),
        _ => sync_directory(path),
    }
}

pub(crate) fn replace(path: &Path, content: &[u8]) -> Result<(), Error> {
    let temporary = write_beside(path, content)?;
    fs::rename(temporary, path).map_err(io_error(path))?;
    sync_directory(path)
}

fn write_beside(path: &Path, content: &[u8]) -> Result<PathBuf, Error> {
    let temporary = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = OpenOptions::new()
        .write(true)
        .create(true)
        .truncate(true)
        .mode(MODE)
        .open(&temporary)
        .map_err(io_error(&temporary))?;
    file.write_all(content)
        .and_then(|()| file.sync_all())
        .map_err(io_error(&temporary))?;
    Ok(temporary)
}

fn sync_directory(path: &Path) -> Result<(), Error> {
    let directory = path
        .parent()
        .filter(|parent| !parent.as_os_str().is_empty())
        .unwrap_or(Path::new("."));
    File::open(directory)
        .and_then(|directory| directory.sync_all())
        .map_err(io_error(directory))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_start_makes_what_later_ones_read() {
        let dir = tempfile::tempdir().unwrap();
        let first = Secrets::load_or_create(dir.path()).unwrap();
        let second = Secrets::load_or_create(dir.path()).unwrap();
        assert_eq!(first.derived("test"), second.derived("test"));
        let mode = fs::metadata(dir.path().join(FILE)).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, MODE);
        let token = admin_token(&dir.path().join("admin-token")).unwrap();
        assert_eq!(token, admin_token(&dir.path().join("admin-token")).unwrap());
        assert_eq!(
            fs::read_dir(dir.path()).unwrap().count(),
            2,
            "no temporary file is left"
        );
    }

    #[test]
    fn a_rotation_keeps_the_old_key_valid_and_is_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let before = Secrets::load_or_create(dir.path()).unwrap().derived("test");
        let kid = Secrets::rotate(dir.path()).unwrap();
        let after = Secrets::load(dir.path()).unwrap().derived("test");
        assert_eq!(after[0].0, kid);
        assert_eq!(after[1], before[0]);
        for _ in 2..MAX_MASTERS {
            Secrets::rotate(dir.path()).unwrap();
        }
        assert!(matches!(Secrets::rotate(dir.path()), Err(Error::TooManyKeys)));
    }

    #[test]
    fn a_database_is_not_opened_with_other_keys_than_its_own() {
        let (ours, theirs) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let missing = Secrets::for_database(ours.path(), &WrittenWith::Unknown);
        assert!(matches!(missing, Err(Error::Missing(_))));
        assert!(!ours.path().join(FILE).exists(), "nothing was made in its place");
        let made = Secrets::for_database(ours.path(), &WrittenWith::Nothing).unwrap();
        let written = WrittenWith::Key(made.fingerprint().to_vec());
        Secrets::rotate(ours.path()).unwrap();
        for known in [&written, &WrittenWith::Unknown] {
            Secrets::for_database(ours.path(), known).unwrap();
        }
        Secrets::load_or_create(theirs.path()).unwrap();
        let foreign = Secrets::for_database(theirs.path(), &written);
        assert!(matches!(foreign, Err(Error::Foreign(_))));
    }

    #[test]
    fn damaged_newer_or_open_files_are_refused_and_kept() {
        let dir = tempfile::tempdir().unwrap();
        Secrets::load_or_create(dir.path()).unwrap();
        let path = dir.path().join(FILE);
        let good = fs::read_to_string(&path).unwrap();
        for bad in [
            "",
            "{",
            &good.replace("\"version\": 1", "\"version\": 2"),
            &good[..good.len() / 2],
        ] {
            fs::write(&path, bad).unwrap();
            assert!(
                matches!(Secrets::load_or_create(dir.path()), Err(Error::Damaged { .. })),
                "{bad}"
            );
            assert_eq!(fs::read_to_string(&path).unwrap(), bad);
        }
        fs::write(&path, good).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o644)).unwrap();
        assert!(matches!(Secrets::load_or_create(dir.path()), Err(Error::Open(_))));
    }
}
