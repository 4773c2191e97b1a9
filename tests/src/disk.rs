//! A disk that a test may fill.

use anyhow::{Result, ensure};
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

/// A file system of its own for the data, in memory.
#[derive(Debug)]
pub struct SmallDisk(PathBuf);

impl SmallDisk {
    /// As `data` in a directory, where the service keeps its files. `None` where mounting is not permitted: a test that looks
    /// at nothing then says so where it is read, past the harness, which keeps what a passing test prints, and as a failure
    /// where only failures are looked at.
    ///
    /// # Errors
    /// `data` is there already; or mounting is not permitted in CI.
    pub fn mount(directory: &Path, mebibytes: u32) -> Result<Option<Self>> {
        let path = directory.join("data");
        std::fs::create_dir(&path)?;
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={mebibytes}m"), "tmpfs"])
            .arg(&path)
            .output();
        if mounted.is_ok_and(|output| output.status.success()) {
            return Ok(Some(Self(path)));
        }
        let skipped = "NOT TESTED: full disks, for file systems may not be mounted here; run it as root, or in a container \
                       that may mount";
        ensure!(std::env::var_os("CI").is_none(), skipped);
        writeln!(std::io::stderr(), "{skipped}")?;
        Ok(None)
    }

    /// Takes all the space that is left.
    ///
    /// # Errors
    /// No file can be made.
    pub fn fill(&self) -> Result<()> {
        let mut file = std::fs::File::create(self.filler())?;
        let block = [0; 4_096];
        while file.write_all(&block).is_ok() {}
        Ok(())
    }

    /// Gives the space back.
    ///
    /// # Errors
    /// It was not taken.
    pub fn clear(&self) -> Result<()> {
        Ok(std::fs::remove_file(self.filler())?)
    }

    fn filler(&self) -> PathBuf {
        self.0.join("filler")
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("--lazy").arg(&self.0).status();
    }
}
