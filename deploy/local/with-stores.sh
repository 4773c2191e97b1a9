#!/usr/bin/env bash
# Runs a command with a real Cassandra beside it, of its own: fresh data, own ports, stopped at the end.
# The command finds it by MITALK_TEST_CQL.
#   with-stores.sh COMMAND...
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
stores=${CARGO_TARGET_DIR:-$root/target}/stores
export CASSANDRA_DIR=$stores/test/cassandra CASSANDRA_PORT=${CASSANDRA_PORT:-19142} CASSANDRA_STORAGE_PORT=${CASSANDRA_STORAGE_PORT:-17100}

stop() {
  "$here/cassandra.sh" wipe
}
trap stop EXIT
"$here/need.sh" java
stop
"$here/cassandra.sh" start
export MITALK_TEST_CQL=127.0.0.1:$CASSANDRA_PORT
"$@"
