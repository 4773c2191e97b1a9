#!/usr/bin/env bash
# Makes sure that the tools of a Makefile target are here: `need.sh rust node browser ...`.
# Installs what it may (as root, by the system's package manager, or with cargo) and prints what it installs;
# where it may not, says what is missing and how to get it. Runs any number of times.
set -euo pipefail

missing=0
lack() { printf 'missing: %s\n  %s\n' "$1" "$2" >&2; missing=1; }
have() { command -v "$1" >/dev/null 2>&1; }

apt_install() { # apt_install PACKAGE... ; false where we may not
  [ "$(id -u)" = 0 ] && have apt-get || return 1
  echo "installing: $* (apt-get)"
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$@" >/dev/null
}

need_rust() {
  have cargo || lack "Rust" "install it by rustup (https://rustup.rs); rust-toolchain.toml names the version"
  have cc || apt_install gcc libc6-dev || lack "a C compiler" "install gcc or clang"
  have c++ || apt_install g++ || lack "a C++ compiler" "install g++ or clang"
}

need_node() {
  local wanted="Node.js 20.19, 22.12 or newer"
  have node && have npm || { lack "$wanted, with npm" "install it from your system's packages or https://nodejs.org"; return; }
  # What the bundler runs on.
  node -e 'const [major, minor] = process.versions.node.split(".").map(Number);
    process.exit((major === 20 && minor >= 19) || (major === 22 && minor >= 12) || major > 22 ? 0 : 1)' \
    || lack "$wanted (found $(node --version))" "update Node.js"
}

need_browser() {
  [ -n "${CHROMIUM:-}" ] || have chromium || have chromium-browser || have google-chrome || have google-chrome-stable \
    || apt_install chromium \
    || lack "Chromium" "install the package 'chromium'; the browser tests drive it"
}

# Of the one that JAVA_HOME or the path has.
java_is_17() { "${JAVA_HOME:+$JAVA_HOME/bin/}java" -version 2>&1 | grep -q 'version "17[".]'; }

# For both: Kafka 4 runs on 17 and newer, Cassandra 5 on 17 and older.
need_java() {
  java_is_17 || { [ -z "${JAVA_HOME:-}" ] && apt_install openjdk-17-jre-headless && java_is_17; } \
    || lack "Java 17" "install a Java 17 runtime, and name it by JAVA_HOME if another one comes first; Kafka and Cassandra run on it"
  have mvn || apt_install maven || lack "Maven" "install maven; it brings the jars of Kafka and Cassandra"
}

# librdkafka's TLS is OpenSSL's.
need_tls() {
  have openssl || apt_install openssl || lack "openssl" "install openssl; it makes certificates for tests"
  have pkg-config && pkg-config --exists openssl || apt_install libssl-dev pkg-config \
    || lack "OpenSSL's headers" "install libssl-dev and pkg-config (openssl-devel); the feature kafka-tls needs them"
}

DENY_VERSION=0.20.2
need_deny() {
  if have cargo-deny && [ "$(cargo-deny --version)" = "cargo-deny $DENY_VERSION" ]; then return; fi
  echo "installing: cargo-deny $DENY_VERSION (cargo install, some minutes)"
  # Unoptimised: it takes half as long to build, and a second to run.
  cargo install --quiet --debug --locked cargo-deny --version "$DENY_VERSION" || lack "cargo-deny" "cargo install cargo-deny"
}

for tool in "$@"; do "need_$tool"; done
exit $missing
