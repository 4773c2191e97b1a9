//! Rebuilds release binaries when the web app appears or changes: `rust-embed` cannot see a folder that was missing.
//! Debug builds read the app from disk, so a change of it rebuilds nothing there.

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    if std::env::var("PROFILE").is_ok_and(|profile| profile == "release") {
        println!("cargo:rerun-if-changed=web/dist");
    }
}
