# Sourced by kafka.sh and cassandra.sh: certificates and a password for nodes that are reached by TLS.

key=(-newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes)

# make_tls DIRECTORY IP...: once. ca.pem signed node.pem, which names these addresses; other-ca.pem signed nothing.
make_tls() {
  local tls=$1 authority
  shift
  [ -d "$tls" ] && return
  "$here/need.sh" tls
  rm -rf "$tls.part"
  mkdir -p "$tls.part"
  (
    umask 077
    cd "$tls.part"
    for authority in ca other-ca; do
      openssl req -x509 "${key[@]}" -days 3650 -subj "/CN=mitalk local $authority" \
        -keyout "$authority.key" -out "$authority.pem"
    done
    openssl req -new "${key[@]}" -subj "/CN=mitalk local node" -keyout node.key -out node.csr
    openssl x509 -req -in node.csr -CA ca.pem -CAkey ca.key -CAcreateserial -days 3650 -out node.pem \
      -extfile <(printf 'subjectAltName=%s' "$(printf 'IP:%s\n' "$@" | paste -sd,)")
    openssl rand -hex 16 >password
    cat node.key node.pem >node-with-key.pem
    openssl pkcs12 -export -in node.pem -inkey node.key -name node -passout file:password -out node.p12
  ) 2>"$tls.log" || { cat "$tls.log" >&2; return 1; }
  rm -f "$tls.log"
  mv "$tls.part" "$tls"
}
