#!/bin/sh
# Runs the tests of the edge's decoding under Miri: every pointer of a caller that is followed there, with the rules of Rust's memory model
# (provenance, aliasing, alignment, values that nobody wrote). The rest of a call is safe code, or AWS-LC, which Miri cannot run.
#
#   scripts/miri.sh              all of them, some minutes
#   scripts/miri.sh template::   only tests with this word in their name
set -eu
cd "$(dirname "$0")/.."

if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "miri: there is no nightly Rust (rustup toolchain install nightly)" >&2
    exit 1
fi
if ! cargo +nightly miri --version >/dev/null 2>&1; then
    rustup component add --toolchain nightly miri rust-src
fi
# Alignment is judged by the type that memory was made with, not by where it happens to lie; integers do not become pointers.
export MIRIFLAGS="-Zmiri-strict-provenance -Zmiri-symbolic-alignment-check ${MIRIFLAGS:-}"
[ $# -gt 0 ] || set -- attributes:: decode:: derivation:: mechanism:: memory:: output:: template:: message:: wrapping::
exec cargo +nightly miri test --locked --target-dir target/miri -p pkcs11-module --no-default-features --lib -- "$@"
