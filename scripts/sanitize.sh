#!/usr/bin/env bash
# Runs the acceptance tests on a module that AddressSanitizer watches: every load and store of our code, of the Rust crates and of
# AWS-LC's C (with clang). The standard library, which comes compiled, and assembly are not watched.
#
#   scripts/sanitize.sh              the whole suite
#   scripts/sanitize.sh pins:: fork  only tests with one of these words in their name
#
# What the tool cannot bear is in tests/sanitizers/address.skip, with the reason. Each finding is a file in target/asan/reports, also one of
# a child that nobody waits for; any makes this fail. Nightly Rust; two GB in target/asan, which may be removed afterwards.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "sanitize: there is no nightly Rust (rustup toolchain install nightly)" >&2
    exit 1
fi
# The tool is in the process before anything else is, also in C programs, OpenSSL and pkcs11-tool, so the test program is as always.
preload=$(cc -print-file-name=libasan.so)
if [ ! -e "$preload" ]; then
    echo "sanitize: the C compiler has no libasan.so" >&2
    exit 1
fi
if command -v clang >/dev/null; then
    watched=(CC_x86_64_unknown_linux_gnu=clang CFLAGS_x86_64_unknown_linux_gnu='-fsanitize=address -fno-omit-frame-pointer')
else
    watched=()
    echo "sanitize: there is no clang, so AWS-LC's C is not watched" >&2
fi

triple=x86_64-unknown-linux-gnu
folder=$PWD/target/asan
reports=$folder/reports
# The module takes its memory for secrets, and AWS-LC all of its own, from the heap, where the tool sees each piece.
env "${watched[@]}" RUSTFLAGS='-Zsanitizer=address -Cforce-frame-pointers=yes --cfg perilune_watched' \
    cargo +nightly build --locked --target "$triple" --target-dir "$folder" -p pkcs11-module
cargo build --locked -p perilune
acceptance=$(cargo test --locked -p perilune-tests --test acceptance --no-run --message-format json | python3 -c '
import json, sys
print([line["executable"] for line in map(json.loads, sys.stdin) if line.get("executable") and line["profile"]["test"]][-1])')

skips=()
while read -r name reason; do
    echo "skipped: $name: $reason"
    skips+=(--skip "$name")
done < <(grep -v -e '^#' -e '^$' tests/sanitizers/address.skip)

rm -rf "$reports" && mkdir -p "$reports"
# Memory that the process keeps on purpose (the state of the module, what AWS-LC makes once) is not lost.
status=0
env LD_PRELOAD="$preload" ASAN_OPTIONS="detect_leaks=0:log_path=$reports/report:${ASAN_OPTIONS:-}" \
    PERILUNE_MODULE="$folder/$triple/debug/libperilune_pkcs11.so" PERILUNE_TEST_LIMIT="${PERILUNE_TEST_LIMIT:-900}" CARGO_MANIFEST_DIR="$PWD/tests" \
    "$acceptance" "${skips[@]}" "$@" || status=$?

found=$(find "$reports" -type f -size +0 | wc -l)
find "$reports" -type f -size +0 -exec head -n 60 {} +
echo "AddressSanitizer: $found findings"
[ "$found" -eq 0 ] || exit 1
exit "$status"
