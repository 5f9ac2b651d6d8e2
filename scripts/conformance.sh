#!/usr/bin/env bash
# Runs the hostile cases on Perilune, SoftHSM2 and Kryoptic, and writes docs/conformance.md.
#
#   scripts/conformance.sh            # all three; a few minutes
#   scripts/conformance.sh 4.2 C_Sign # only cases with one of these words in their title; prints what is not ok and writes nothing
#
# Kryoptic: the variable KRYOPTIC_MODULE, or what scripts/build-kryoptic.sh makes, which is done here where it is not there yet.
set -euo pipefail

cd "$(dirname "$0")/.."
scripts/install-packages.sh test
target=${CARGO_TARGET_DIR:-$PWD/target}
kryoptic=${KRYOPTIC_MODULE:-$target/kryoptic/libkryoptic_pkcs11.so}
[ -e "$kryoptic" ] || scripts/build-kryoptic.sh
cargo build --quiet --locked -p pkcs11-module -p perilune

version=$(cargo metadata --locked --no-deps --format-version 1 | python3 -c 'import json, sys; print(next(p["version"] for p in json.load(sys.stdin)["packages"] if p["name"] == "pkcs11-module"))')
softhsm=$(dpkg-query -W -f '${Version}' libsofthsm2 2>/dev/null || echo unknown)
note=$(cat "${kryoptic%.so}.version" 2>/dev/null || echo "version unknown")
modules=(
    --module "name=Perilune,path=$target/debug/libperilune_pkcs11.so,note=version $version"
    --module "name=SoftHSM2,path=/usr/lib/softhsm/libsofthsm2.so,note=Debian package $softhsm"
    --module "name=Kryoptic,path=$kryoptic,note=$note"
)
if [ $# -eq 0 ]; then
    modules+=(--markdown "$PWD/docs/conformance.md")
fi
PERILUNE_MODULE=$target/debug/libperilune_pkcs11.so cargo test --quiet --locked -p perilune-tests --test hostile -- "${modules[@]}" "$@"
