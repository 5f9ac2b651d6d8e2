# What the example scripts share: options, the module, a folder of their own, a token in it, OpenSSL's engine.
#
# Sourced, never run. A script sets `options_more` to what it takes beyond --module and --keep, then calls
#   begin "$@"              # reads the options, installs and builds unless a module is given, makes the folder
#   make_token LABEL        # a token with fresh PINs
#   configure_engine        # openssl.cnf for commands with `-engine pkcs11`
# and works in the folder $work, which is removed at the end. PINs never stand on a command line: pkcs11-tool
# takes them from variables, the engine from the file `pin`.
# shellcheck shell=bash
set -euo pipefail
umask 077
export LC_ALL=C
unset OPENSSL_CONF

root=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
module=
keep=
steps=0

# Says what comes next.
step() {
    steps=$((steps + 1))
    printf '\n%d. %s\n' "$steps" "$*"
}

# Says one thing.
say() { printf '   %s\n' "$*"; }

# Ends the script with the reason.
die() {
    printf '\n%s: %s\n' "${script:-example}" "$*" >&2
    exit 1
}

# Prints a command as a person would type it.
show() {
    local line='' word
    for word in "$@"; do
        case "$word" in
            "$module") word="\$MODULE" ;;
            "$root"/*) word=${word#"$root"/} ;;
            "$work"/*) word=${word#"$work"/} ;;
            *[!A-Za-z0-9_./:=,+-]*) word="'$word'" ;;
        esac
        line+=" $word"
    done
    printf '   $%s\n' "$line"
}

# Shows a command and runs it; what it says is kept in the file `output`, and printed only when it fails.
run() {
    show "$@"
    "$@" >"$work/output" 2>&1 </dev/null || {
        cat "$work/output" >&2
        die "the command above failed"
    }
}

# Shows a command that must fail, and why that is right.
refused() {
    local why=$1
    shift
    show "$@"
    if "$@" >"$work/output" 2>&1 </dev/null; then
        cat "$work/output" >&2
        die "the command above succeeded, and must not: $why"
    fi
    say "refused, as it must be: $why"
}

# Runs pkcs11-tool on the token, logged in as its user.
token_tool() { run pkcs11-tool --module "$module" --token-label "$label" --login --pin env:USER_PIN "$@"; }

# Runs openssl with the engine; without this, openssl knows nothing of the token.
engine_openssl() {
    export OPENSSL_CONF=$work/openssl.cnf
    run openssl "$@"
    unset OPENSSL_CONF
}

# The URI by which the engine finds a private key of the token; the PIN is in the file `pin`, here.
key_uri() { printf 'pkcs11:token=%s;object=%s;type=private?pin-source=file:pin' "$label" "$1"; }

begin() {
    script=$(basename "$(dirname "$0")")
    while [ $# -gt 0 ]; do
        case "$1" in
            --module) [ $# -ge 2 ] || usage; module=$2; shift ;;
            --keep) keep=yes ;;
            *) take_option "$@" || usage; shift $((taken - 1)) ;;
        esac
        shift
    done
    if [ -z "$module" ]; then
        "$root/scripts/install-packages.sh" demo
        build
    fi
    [ -r "$module" ] || die "no module at $module"
    module=$(realpath "$module")
    work=$(mktemp -d "${TMPDIR:-/tmp}/perilune-$script.XXXXXX")
    trap finish EXIT
    cd "$work"
    # Everything that the token is lies in this folder; the user's own store is not touched.
    export PERILUNE_CONF=$work/perilune.toml
    echo 'store = "store"' >"$PERILUNE_CONF"
}

usage() {
    echo "usage: $0 [--module PATH] [--keep]${options_more:+ $options_more}" >&2
    echo "  --module PATH  use this module; build and install nothing" >&2
    echo "  --keep         leave the temporary folder with the token and all files" >&2
    exit 2
}

# Scripts with options of their own define this again: it sets `taken` to the number of words it used.
take_option() { return 1; }

build() {
    command -v cargo >/dev/null || PATH=$PATH:$HOME/.cargo/bin
    command -v cargo >/dev/null || die "no Rust toolchain: install one from https://rustup.rs and try again"
    step "Building the module (a few minutes the first time)"
    (cd "$root" && cargo build --locked --release -p pkcs11-module -p perilune </dev/null)
    module=$(cd "$root" && realpath "${CARGO_TARGET_DIR:-target}")/release/libperilune_pkcs11.so
}

finish() {
    local status=$? child
    for child in $(jobs -p); do kill "$child" 2>/dev/null || true; done
    cd /
    if [ -n "$keep" ]; then
        printf '\nKept in %s; to look around: export PERILUNE_CONF=%s MODULE=%s\n' "$work" "$PERILUNE_CONF" "$module"
    else
        rm -rf "$work"
    fi
    return "$status"
}

make_token() {
    label=$1
    SO_PIN=$(openssl rand -hex 8)
    USER_PIN=$(openssl rand -hex 8)
    export SO_PIN USER_PIN
    printf %s "$USER_PIN" >pin
    run pkcs11-tool --module "$module" --slot-index 0 --init-token --label "$label" --so-pin env:SO_PIN
    run pkcs11-tool --module "$module" --token-label "$label" --login --login-type so --so-pin env:SO_PIN \
        --init-pin --pin env:USER_PIN
}

# The engine's library: where OpenSSL looks for engines, else where the package put it.
engine_path() {
    local folder path
    folder=$(openssl version -e | sed 's/.*"\(.*\)".*/\1/')
    path=$folder/pkcs11.so
    [ -r "$path" ] || path=$(dpkg -L libengine-pkcs11-openssl 2>/dev/null | grep -m 1 '/pkcs11\.so$' || true)
    [ -r "$path" ] || die "no OpenSSL engine pkcs11.so in $folder (Debian package libengine-pkcs11-openssl)"
    printf %s "$path"
}

configure_engine() {
    engine=$(engine_path)
    cat >"$work/openssl.cnf" <<CONF
openssl_conf = openssl_init
[openssl_init]
engines = engines
[engines]
pkcs11 = pkcs11
[pkcs11]
engine_id = pkcs11
dynamic_path = $engine
MODULE_PATH = $module
init = 0

[req]
prompt = no
distinguished_name = name
[name]
CN = from the command line
[ca]
basicConstraints = critical, CA:true
keyUsage = critical, keyCertSign, cRLSign
subjectKeyIdentifier = hash
[code_signing]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = critical, codeSigning
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
[server]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost
subjectKeyIdentifier = hash
authorityKeyIdentifier = keyid
CONF
}

# Makes an EC key of the token the root of a small CA: authority LABEL NAME -> LABEL.pem
authority() {
    engine_openssl req -new -x509 -engine pkcs11 -keyform engine -key "$(key_uri "$1")" \
        -sha256 -days 30 -subj "/CN=$2" -extensions ca -out "$1.pem"
}

# Certifies a key of the token with a CA key of the token: certify LABEL NAME CA-LABEL EXTENSIONS -> LABEL.pem
certify() {
    engine_openssl req -new -engine pkcs11 -keyform engine -key "$(key_uri "$1")" -sha256 -subj "/CN=$2" -out "$1.csr"
    engine_openssl x509 -req -in "$1.csr" -engine pkcs11 -CA "$3.pem" -CAkeyform engine -CAkey "$(key_uri "$3")" \
        -sha256 -days 30 -extfile openssl.cnf -extensions "$4" -out "$1.pem"
}
