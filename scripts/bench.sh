#!/usr/bin/env bash
# Compares Perilune with SoftHSM2, and with Kryoptic where its module is there, on tokens in a temporary folder.
#
#   scripts/bench.sh                        # everything, about half an hour; writes docs/performance.md and .svg, and target/performance.json
#   scripts/bench.sh --quick                # a few operations, less than three minutes; prints the table only
#   scripts/bench.sh --operation "RSA sign" # any options of `perilune bench`; prints the table only
#
# Kryoptic: the variable KRYOPTIC_MODULE, or what scripts/build-kryoptic.sh has made. TMPDIR should be a real disk, because token
# objects are written to it.
set -euo pipefail

cd "$(dirname "$0")/.."
scripts/install-packages.sh test
cargo build --quiet --locked --release -p pkcs11-module -p perilune
target=${CARGO_TARGET_DIR:-target}

place=$(mktemp -d)
trap 'rm -rf "$place"' EXIT
# One PIN for three tokens that nobody else ever sees.
export BENCH_PIN=bench-12345678
export PERILUNE_CONF=$place/perilune.toml SOFTHSM2_CONF=$place/softhsm2.conf KRYOPTIC_CONF=$place/kryoptic.conf

echo "store = \"$place/perilune\"" >"$PERILUNE_CONF"
"$target/release/perilune" init --label bench --so-pin-env BENCH_PIN --pin-env BENCH_PIN >/dev/null
large=100000
modules=(--module "name=Perilune,path=$target/release/libperilune_pkcs11.so,token=bench,pin-env=BENCH_PIN,objects-max=$large")

softhsm=/usr/lib/softhsm/libsofthsm2.so
mkdir "$place/softhsm"
printf 'directories.tokendir = %s\nlog.level = ERROR\n' "$place/softhsm" >"$SOFTHSM2_CONF"
softhsm2-util --init-token --free --label bench --so-pin "$BENCH_PIN" --pin "$BENCH_PIN" >/dev/null
package=$(dpkg-query -W -f '${Version}' libsofthsm2 2>/dev/null || echo unknown)
modules+=(--module "name=SoftHSM2,path=$softhsm,token=bench,pin-env=BENCH_PIN,note=Debian package $package")

kryoptic=${KRYOPTIC_MODULE:-$target/kryoptic/libkryoptic_pkcs11.so}
if [ -e "$kryoptic" ]; then
    printf '[[slots]]\nslot = 0\ndbtype = "sqlite"\ndbargs = "%s"\n' "$place/kryoptic.sql" >"$KRYOPTIC_CONF"
    tool=(pkcs11-tool --module "$kryoptic" --slot 0)
    "${tool[@]}" --init-token --label bench --so-pin "$BENCH_PIN" >/dev/null
    "${tool[@]}" --login --login-type so --so-pin "$BENCH_PIN" --init-pin --pin "$BENCH_PIN" >/dev/null
    note=$(cat "${kryoptic%.so}.version" 2>/dev/null || echo "version unknown")
    modules+=(--module "name=Kryoptic,path=$kryoptic,token=bench,pin-env=BENCH_PIN,note=$note")
else
    echo "Kryoptic takes no part: $kryoptic is not there (scripts/build-kryoptic.sh makes it)" >&2
fi

if [ $# -gt 0 ]; then
    "$target/release/perilune" bench "${modules[@]}" "$@"
else
    # As many threads as processors, and twice as many.
    threads=$(printf "%s\n" 1 "$(nproc)" $((2 * $(nproc))) | sort -nu | paste -sd,)
    "$target/release/perilune" bench "${modules[@]}" --threads "$threads" --rounds 5 --seconds 0.2 --objects-max 1000 \
        --json "$target/performance.json" --svg docs/performance.svg --markdown docs/performance.md
fi
