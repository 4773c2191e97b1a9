# Sourced by kafka.sh and cassandra.sh: nodes that are one JVM each, known by a pid file of their own.
# The caller sets: name, dir (data), jars, pom, nodes, deadline (seconds), and defines `launch NODE`, `ready NODE` and
# `address NODE`. Only processes that were started for `dir` are ever signalled: their command line names it.

root=$(cd "$here/../.." && pwd)
stores=$(realpath -m "${MITALK_STORES_DIR:-${CARGO_TARGET_DIR:-$root/target}/stores}")
java=${JAVA_HOME:+$JAVA_HOME/bin/}java

# Brings the jars once; their directory appears only when it is complete.
install_jars() {
  [ -d "$jars" ] && return
  "$here/need.sh" java
  echo "installing: $name's jars (Maven)"
  rm -rf "$jars.part"
  mvn -q -B -ntp -Dstyle.color=never -f "$pom" dependency:copy-dependencies -Djars="$jars.part"
  mv "$jars.part" "$jars"
}

# The node's pid, if that process is still the one that was started for this directory.
node_pid() {
  local pid
  pid=$(cat "$dir/$1/pid" 2>/dev/null) || return 1
  tr '\0' '\n' 2>/dev/null <"/proc/$pid/cmdline" | grep -qxF -- "-Dnode.dir=$dir/$1" && echo "$pid"
}

# run_jvm NODE ARGS...: detached from the terminal, output in the node's own log.
run_jvm() {
  local node=$1
  shift
  setsid "$java" "-Dnode.dir=$dir/$node" "$@" </dev/null >>"$dir/$node/log" 2>&1 &
  echo $! >"$dir/$node/pid"
  # Until it has become the JVM, its command line is this script's, and it would be taken for one that has ended.
  until node_pid "$node" >/dev/null || ! kill -0 $! 2>/dev/null; do sleep 0.01; done
}

start_nodes() {
  local node
  for node in "$@"; do
    node_pid "$node" >/dev/null || { mkdir -p "$dir/$node"; launch "$node"; }
  done
  for node in "$@"; do
    until ready "$node" 2>/dev/null; do
      node_pid "$node" >/dev/null || { echo "$name $node ended; see $dir/$node/log" >&2; return 1; }
      [ "$SECONDS" -lt "$deadline" ] || { echo "$name $node is not ready after ${deadline} s; see $dir/$node/log" >&2; return 1; }
      sleep 0.1
    done
  done
}

# signal_nodes SIGNAL NODES...: those that run.
signal_nodes() {
  local signal=$1 node pid
  shift
  for node in "$@"; do
    if pid=$(node_pid "$node"); then kill -s "$signal" "$pid"; fi
  done
}

# Nothing is left of it, its sockets neither: a dying process has no command line any more and still accepts connections.
has_ended() {
  local state
  state=$(awk '{ print $3 }' "/proc/$1/stat" 2>/dev/null) || return 0
  [[ $state == [ZX] ]]
}

# end_nodes SIGNAL NODES...: waits for their end, and kills what does not end within 20 s.
end_nodes() {
  local node pid
  local -A ending=()
  for node in "${@:2}"; do
    if pid=$(node_pid "$node"); then ending[$node]=$pid; fi
  done
  signal_nodes "$@"
  shift
  signal_nodes CONT "$@" # a paused one hears nothing else
  for node in "$@"; do
    for _ in $(seq 200); do
      if [ -z "${ending[$node]:-}" ] || has_ended "${ending[$node]}"; then break; fi
      sleep 0.1
    done
    signal_nodes KILL "$node"
    rm -f "$dir/$node/pid"
  done
}

show_nodes() {
  local node pid state
  for node in "$@"; do
    if ! pid=$(node_pid "$node"); then
      echo "$name $node: stopped"
      continue
    fi
    case $(awk '{ print $3 }' "/proc/$pid/stat") in
      T) state=paused ;;
      *) if ready "$node" 2>/dev/null; then state=ready; else state="not ready"; fi ;;
    esac
    echo "$name $node: $state, $(address "$node"), pid $pid, $(awk '/VmRSS/ { print int($2 / 1024) }' "/proc/$pid/status") MB"
  done
}

usage() {
  cat <<EOT
usage: $(basename "$0") COMMAND [NODE...]     (no node named: all of them)

  install          bring the jars, once
  start            start, and wait until the protocol itself answers
  stop             end in order
  kill             end by SIGKILL; data stays
  pause, resume    SIGSTOP and SIGCONT
  wipe             kill, and remove the data; of all nodes, also the cluster's size
  status           what runs where

$settings
EOT
}

# wipe_all: also nodes of a larger cluster that was here before, and the size.
wipe_all() {
  local made node
  made=$(find "$dir" -mindepth 1 -maxdepth 1 -type d -name '[1-9]*' -printf '%f\n' 2>/dev/null) || true
  # shellcheck disable=SC2086 # one word each
  end_nodes KILL $made
  for node in $made nodes tls; do rm -rf "${dir:?}/$node"; done
}

# main COMMAND [NODE...]: the cluster's size is kept beside its data until all of it is wiped, so later calls need not
# repeat it.
main() {
  local command=${1:-help} node
  shift || true
  [ "$command $#" != "wipe 0" ] || { wipe_all; return; }
  [ $# -gt 0 ] || set -- $(seq "$nodes")
  for node in "$@"; do
    [[ $node =~ ^[0-9]+$ ]] && [ "$node" -ge 1 ] && [ "$node" -le "$nodes" ] \
      || { echo "there is no $name $node: nodes are 1 to $nodes" >&2; return 2; }
  done
  case $command in
    install) install_jars ;;
    start) install_jars && mkdir -p "$dir" && echo "$nodes" >"$dir/nodes" && start_nodes "$@" ;;
    stop) end_nodes TERM "$@" ;;
    kill) end_nodes KILL "$@" ;;
    pause) signal_nodes STOP "$@" ;;
    resume) signal_nodes CONT "$@" ;;
    wipe) end_nodes KILL "$@"; for node in "$@"; do rm -rf "${dir:?}/$node"; done ;;
    status) show_nodes "$@" ;;
    help | --help | -h) usage ;;
    *) usage >&2; return 2 ;;
  esac
}
