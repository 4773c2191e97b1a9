//! Rebuilds the binary when the web app appears or changes: `rust-embed` cannot see a folder that was missing.

fn main() {
    println!("cargo:rerun-if-changed=web/dist");
    println!("cargo:rerun-if-changed=build.rs");
}
