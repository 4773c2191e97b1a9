#!/usr/bin/env bash
# A real Apache Cassandra, which stands in for ScyllaDB here, on loopback: node N on 127.0.0.N, CQL on one port everywhere.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/jvm.sh"
source "$here/tls.sh"
name=cassandra
dir=$(realpath -m "${CASSANDRA_DIR:-$stores/cassandra}")
jars=$(realpath -m "${CASSANDRA_JARS:-$stores/jars/cassandra}")
pom=$here/cassandra/pom.xml
nodes=${CASSANDRA_NODES:-$(cat "$dir/nodes" 2>/dev/null || echo 1)}
port=${CASSANDRA_PORT:-19042}
storage_port=${CASSANDRA_STORAGE_PORT:-17000}
size=${CASSANDRA_SIZE:-small}
# Small: starts quickly, also three of them. Large: what works for an hour, where small memtables would mean hundreds of tables
# on disk, and the first compiler's code most of the time.
case $size in
  small) heap=512m memtables=64MiB log=128MiB jit=(-XX:TieredStopAtLevel=1) ;;
  large) heap=3g memtables=768MiB log=1GiB jit=() ;;
  *) echo "CASSANDRA_SIZE is $size: make it small or large" >&2; exit 2 ;;
esac
heap=${CASSANDRA_HEAP:-$heap}
deadline=${START_TIMEOUT:-180}
tls=${CASSANDRA_TLS:-}
sync=${CASSANDRA_SYNC:-batch}
settings="CASSANDRA_NODES (1 or 3), CASSANDRA_PORT ($port), CASSANDRA_STORAGE_PORT ($storage_port), CASSANDRA_HEAP ($heap),
CASSANDRA_DIR ($dir), START_TIMEOUT (seconds). Java must be 17: JAVA_HOME, else the one on the path.
CASSANDRA_SIZE ($size): small, for tests, or large, for what works for an hour.
CASSANDRA_SYNC ($sync): batch, or periodic, which is faster, but a killed node loses up to the last 100 ms.
CASSANDRA_TLS=1: clients may use TLS and must have a password (user cassandra, password cassandra); certificates are in
CASSANDRA_DIR/tls."

address() { echo "127.0.0.$1:$port"; }
addresses() { for n in $(seq "$nodes"); do echo "127.0.0.$n"; done | paste -sd,; }

# All nodes are seeds with a token of their own, so they may start at once.
launch() {
  local node=$1 home=$dir/$1 token syncing=$sync
  [ "$sync" != periodic ] || syncing='periodic\ncommitlog_sync_period: 100ms'
  token=$(awk -v n="$1" -v of="$nodes" 'BEGIN { printf "%.0f", -2^63 + n * 2^64 / (of + 1) }')
  sed -e "s|@TOKEN@|$token|; s|@ADDRESS@|127.0.0.$node|; s|@PORT@|$port|; s|@STORAGE_PORT@|$storage_port|" \
    -e "s|@SEEDS@|$(addresses)|; s|@DATA@|$home/data|; s|@SYNC@|$syncing|; s|@MEMTABLES@|$memtables|; s|@LOG@|$log|" \
    "$here/cassandra/cassandra.yaml" >"$home/cassandra.yaml"
  if [ -n "$tls" ]; then
    # shellcheck disable=SC2046 # one word each
    make_tls "$dir/tls" $(addresses | tr , ' ')
    sed -e "s|@TLS@|$dir/tls|; s|@PASSWORD@|$(cat "$dir/tls/password")|" "$here/cassandra/tls.yaml" >>"$home/cassandra.yaml"
  fi
  # As root Cassandra locks its memory: what is committed at the start becomes resident.
  run_jvm "$node" -Xms64m -Xmx"$heap" "${jit[@]}" "@$here/cassandra/jvm.options" \
    -javaagent:"$(echo "$jars"/jamm-*.jar)" \
    -Dcassandra.config="file://$home/cassandra.yaml" -Dcassandra.storagedir="$home/data" -Dcassandra.logdir="$home" \
    -Dlogback.configurationFile="file://$here/cassandra/logback.xml" \
    -cp "$jars/*" org.apache.cassandra.service.CassandraDaemon
}

# One CQL frame (protocol v4) to file descriptor 3; prints the answer's body in hex.
# cql OPCODE BODY-IN-PRINTF-ESCAPES LENGTH
cql() {
  local length
  printf "\\x04\\0\\0\\0\\x$1\\0\\0\\0\\x$(printf %02x "$3")$2" >&3
  length=$(timeout 5 head -c 9 <&3 | od -An -v -tu1 | awk '{ print $8 * 256 + $9 }')
  timeout 5 head -c "$length" <&3 | od -An -v -tx1 | tr -d ' \n'
}

# Ready: the node answers a query, and knows all the others.
ready() {
  local query='SELECT COUNT(*) FROM system.peers_v2' rows
  exec 3<>"/dev/tcp/127.0.0.$1/$port" || return 1
  cql 01 '\0\x01\0\x0bCQL_VERSION\0\x053.0.0' 22 >/dev/null
  [ -z "$tls" ] || cql 0f '\0\0\0\x14\0cassandra\0cassandra' 24 >/dev/null
  rows=$(cql 07 "\\0\\0\\0\\x$(printf %02x ${#query})$query\\0\\x01\\0" $((${#query} + 7)))
  exec 3>&-
  # One that closes instead says nothing, and no number would end the script.
  [ "${#rows}" -ge 16 ] && [ "$((16#${rows: -16}))" = $((nodes - 1)) ]
}

main "$@"
