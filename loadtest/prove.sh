#!/usr/bin/env bash
# Proves a promise: at least 500 listeners in one room on 2 cores without loss. Part of `make test-all`,
# which builds the release binaries first. Starts a server on free ports in a directory of its own, runs the load, prints
# the figures, and fails if a join failed or a packet was lost.
#
# The server gets the first core and the load the second, if the machine has two and taskset: what the client costs
# must not be taken for the server's waiting, and figures can be compared with others that were measured so.
#
#   LISTENERS=500 SPEAKERS=3 RATE=50 DURATION=20s BIN_DIR=target/release loadtest/prove.sh
set -euo pipefail
cd "$(dirname "$0")/.."

bin=$(cd "${BIN_DIR:-${CARGO_TARGET_DIR:-target}/release}" && pwd)
for name in mitalk mitalk-load; do
  [ -x "$bin/$name" ] || { echo "missing: $bin/$name; run cargo build --release --bins --workspace" >&2; exit 2; }
done

dir=$(mktemp -d)
server=
finish() {
  [ -z "$server" ] || { kill "$server" 2>/dev/null && wait "$server" || true; }
  rm -rf "$dir"
}
trap finish EXIT

server_on=() load_on=()
if command -v taskset >/dev/null && taskset -c 0,1 true 2>/dev/null; then
  server_on=(taskset -c 0) load_on=(taskset -c 1)
else
  echo "note: no taskset or no second core; server and load share what there is" >&2
fi

"${server_on[@]}" "$bin/mitalk" serve --data-dir "$dir/data" \
  --set http.listen=127.0.0.1:0 --set operations.listen=127.0.0.1:0 --set 'media.bind=["127.0.0.1:0"]' \
  --set admin.test_admission=true --set rates.per_address_rps=10000 --set rates.per_address_burst=10000 \
  --set http.max_connections_per_address=10000 \
  --set log.level=warn,mitalk=info --set log.format=json >"$dir/log" 2>&1 &
server=$!

# The line that says "ready" has both addresses.
ready() { grep -m1 '"message":"ready"' "$dir/log"; }
address() { ready | sed -n "s/.*\"$1\":\"\([^\"]*\)\".*/\1/p"; }
for _ in $(seq 300); do
  ready >/dev/null && break
  kill -0 "$server" 2>/dev/null || { echo "the server ended:" >&2; cat "$dir/log" >&2; exit 1; }
  sleep 0.1
done
ready >/dev/null || { echo "the server is not ready after 30 s:" >&2; tail "$dir/log" >&2; exit 1; }

report=$dir/report
"${load_on[@]}" "$bin/mitalk-load" join --url "$(address app)" --operations "$(address operations)" \
  --admin-token-file "$dir/data/admin-token" --server-pid "$server" \
  --listeners "${LISTENERS:-500}" --speakers "${SPEAKERS:-3}" --rate "${RATE:-50}" --duration "${DURATION:-20s}" | tee "$report"
grep -q '^server cores in use' "$report" || { echo "the server's CPU and memory are not in the report" >&2; exit 1; }
