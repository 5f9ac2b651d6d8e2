#!/usr/bin/env bash
# Serves TLS with keys of a token: OpenSSL's own server, its engine, and a client that knows only the CA.
#
#   examples/tls-server/run.sh [--module PATH] [--keep]
#
# Shows TLS 1.3 and 1.2, each with an RSA and an EC key. nginx and Apache take the same key URI
# (`ssl_certificate_key "engine:pkcs11:pkcs11:token=...;object=...";`).
# shellcheck source=../common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

# Starts a server for one connection with a key of the token; its port goes into $port.
serve() {
    local name=$1 tries=0
    : >server.log
    export OPENSSL_CONF=$work/openssl.cnf
    show openssl s_server -engine pkcs11 -keyform engine -key "$(key_uri "$name")" -cert "$name.pem" \
        -accept 127.0.0.1:0 -naccept 1 -www
    openssl s_server -engine pkcs11 -keyform engine -key "$(key_uri "$name")" -cert "$name.pem" \
        -accept 127.0.0.1:0 -naccept 1 -www >server.log 2>&1 </dev/null &
    server=$!
    unset OPENSSL_CONF
    port=
    while [ -z "$port" ]; do
        port=$(sed -n 's/^ACCEPT .*:\([0-9]*\)$/\1/p' server.log)
        tries=$((tries + 1))
        if [ $tries -gt 300 ] || ! kill -0 $server 2>/dev/null; then
            cat server.log >&2
            die "the server did not start"
        fi
        sleep 0.1
    done
}

shake_hands() {
    local version=$1 shown=$2 name=$3
    serve "$name"
    run openssl s_client -connect "127.0.0.1:$port" "-$version" -CAfile tls-ca.pem -verify_return_error \
        -verify_hostname localhost -servername localhost -brief
    grep -q "Protocol version: $shown" output || die "not $shown"
    grep -q 'Verification: OK' output || die "the client did not verify the server"
    grep -E 'Protocol version|Ciphersuite|Peer certificate|Signature type|Verification:' output | sed 's/^/      /'
    wait "$server" || die "the server ended with an error"
}

begin "$@"
step "A token with a CA key and two server keys"
make_token tls
token_tool --keypairgen --key-type EC:prime256v1 --id 01 --label tls-ca
token_tool --keypairgen --key-type rsa:2048 --id 02 --label server-rsa
token_tool --keypairgen --key-type EC:prime256v1 --id 03 --label server-ec

step "A CA and two server certificates"
configure_engine
authority tls-ca "Perilune example CA"
certify server-rsa localhost tls-ca server
certify server-ec localhost tls-ca server

step "Handshakes: the token signs for the server"
shake_hands tls1_3 TLSv1.3 server-ec
shake_hands tls1_3 TLSv1.3 server-rsa
shake_hands tls1_2 TLSv1.2 server-ec
shake_hands tls1_2 TLSv1.2 server-rsa

printf '\nA TLS server proved itself four times with keys that stayed in the token.\n'
