#!/usr/bin/env bash
# A real Apache Kafka (KRaft; each node is broker and controller) on loopback, one node or three.
set -euo pipefail
here=$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)
source "$here/jvm.sh"
source "$here/tls.sh"
name=kafka
dir=$(realpath -m "${KAFKA_DIR:-$stores/kafka}")
jars=$(realpath -m "${KAFKA_JARS:-$stores/jars/kafka}")
pom=$here/kafka/pom.xml
nodes=${KAFKA_NODES:-$(cat "$dir/nodes" 2>/dev/null || echo 1)}
port=${KAFKA_PORT:-19092} # node N listens on port + N - 1, its controller 100 above
heap=${KAFKA_HEAP:-256m}
deadline=${START_TIMEOUT:-90}
tls=${KAFKA_TLS:-}
settings="KAFKA_NODES (1 or 3), KAFKA_PORT ($port), KAFKA_HEAP ($heap), KAFKA_DIR ($dir), START_TIMEOUT (seconds).
KAFKA_TLS=1: also TLS on port + 200, and TLS with a password (user mitalk; PLAIN, SCRAM-SHA-512) on port + 300; certificates and
the password are in KAFKA_DIR/tls."

address() { echo "127.0.0.1:$((port + $1 - 1))"; }
voters() { for n in $(seq "$nodes"); do echo "$n@127.0.0.1:$((port + 99 + n))"; done | paste -sd,; }

launch() {
  local node=$1 home=$dir/$1 listen=$((port + $1 - 1)) more='' password=''
  local -a users=()
  if [ -n "$tls" ]; then
    make_tls "$dir/tls" 127.0.0.1
    more=",TLS://127.0.0.1:$((listen + 200)),PASSWORD://127.0.0.1:$((listen + 300))"
    password=$(cat "$dir/tls/password")
    users=(--add-scram "SCRAM-SHA-512=[name=mitalk,password=$password]")
  fi
  sed -e "s|@MORE@|$more|" -e "s|@NODE@|$node|; s|@PORT@|$listen|; s|@CONTROLLER_PORT@|$((listen + 100))|" \
    -e "s|@DATA@|$home/data|; s|@VOTERS@|$(voters)|; s|@REPLICAS@|$nodes|" \
    -e "s|@MIN_ISR@|$((nodes / 2 + 1))|" "$here/kafka/server.properties" >"$home/server.properties"
  [ -z "$tls" ] || sed -e "s|@TLS@|$dir/tls|; s|@PASSWORD@|$password|" "$here/kafka/tls.properties" >>"$home/server.properties"
  local -a jvm=(-Xms"$heap" -Xmx"$heap" -XX:+UseSerialGC -XX:TieredStopAtLevel=1 -Xshare:auto
    -Dlog4j2.configurationFile="$here/kafka/log4j2.properties" -cp "$jars/*")
  if [ ! -f "$home/data/meta.properties" ]; then
    "$java" "${jvm[@]}" kafka.tools.StorageTool \
      format -t bWl0YWxrLWxvY2FsLWthZg -c "$home/server.properties" "${users[@]}" >"$home/format.log" 2>&1
  fi
  run_jvm "$node" "${jvm[@]}" kafka.Kafka "$home/server.properties"
}

# Ready: a Metadata request (v1, no topics) is answered, and names every broker that was started. The port alone opens
# before the broker serves.
ready() {
  local reply started
  started=$(for n in $(seq "$nodes"); do node_pid "$n" || true; done | wc -l)
  exec 3<>"/dev/tcp/127.0.0.1/$((port + $1 - 1))" || return 1
  printf '\0\0\0\x0f\0\x03\0\x01\0\0\0\x01\0\x01x\0\0\0\0' >&3
  reply=$(timeout 2 head -c 12 <&3 | od -An -v -tu1)
  exec 3>&-
  [ "$(awk '{ print $12 }' <<<"$reply")" = "$started" ]
}

main "$@"
