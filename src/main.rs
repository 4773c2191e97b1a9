//! The one binary: see [`mitalk::cli`].

use std::process::ExitCode;

fn main() -> ExitCode {
    mitalk::cli::main()
}
