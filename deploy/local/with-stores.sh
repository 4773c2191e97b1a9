#!/usr/bin/env bash
# Runs a command with a real Kafka and a real Cassandra beside it, of their own: fresh data, own ports, gone at the end; one
# node of each, or KAFKA_NODES and CASSANDRA_NODES. The command finds them by MITALK_TEST_KAFKA and MITALK_TEST_CQL. With
# KAFKA_TLS=1 and CASSANDRA_TLS=1 both take TLS and passwords, too: MITALK_TEST_KAFKA_TLS and MITALK_TEST_CQL_TLS say where
# the certificates are.
#   with-stores.sh COMMAND...
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
root=$(cd "$here/../.." && pwd)
test=$(realpath -m "${CARGO_TARGET_DIR:-$root/target}/stores/test")
export KAFKA_DIR=$test/kafka KAFKA_PORT=${KAFKA_PORT:-19292}
export CASSANDRA_DIR=$test/cassandra CASSANDRA_PORT=${CASSANDRA_PORT:-19142}
export CASSANDRA_STORAGE_PORT=${CASSANDRA_STORAGE_PORT:-17100}
export KAFKA_NODES=${KAFKA_NODES:-1} CASSANDRA_NODES=${CASSANDRA_NODES:-1}

wipe() {
  "$here/kafka.sh" wipe
  "$here/cassandra.sh" wipe
}
trap wipe EXIT
"$here/need.sh" java
wipe
"$here/kafka.sh" start
"$here/cassandra.sh" start
export MITALK_TEST_KAFKA=127.0.0.1:$KAFKA_PORT MITALK_TEST_CQL=127.0.0.1:$CASSANDRA_PORT
[ -z "${KAFKA_TLS:-}" ] || export MITALK_TEST_KAFKA_TLS=$KAFKA_DIR/tls
[ -z "${CASSANDRA_TLS:-}" ] || export MITALK_TEST_CQL_TLS=$CASSANDRA_DIR/tls
"$@"
