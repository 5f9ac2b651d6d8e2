#!/usr/bin/env bash
# Runs the acceptance tests on a module that a tool watches: our code, the Rust crates and AWS-LC's C (with clang); assembly is not watched.
#
#   scripts/sanitize.sh address              AddressSanitizer: accesses beyond a buffer, after its end, freed twice; not in the standard library
#   scripts/sanitize.sh thread               ThreadSanitizer: accesses of two threads that nothing orders; also in the rooms' own tests of threads
#   scripts/sanitize.sh thread pins:: fork   only acceptance tests with one of these words in their name
#
# What a tool cannot bear is in tests/sanitizers/TOOL.skip, what it says without reason in TOOL.supp, each with the reason. Each finding is a
# file in target/asan/reports or target/tsan/reports, also one of a child that nobody waits for; any makes this fail. Nightly Rust; some GB
# in these folders, which may be removed afterwards.
set -euo pipefail
cd "$(dirname "$0")/.."

tool=${1:-}
case $tool in
address | thread) shift ;;
*) sed -n '2,10s/^# \{0,1\}//p' "$0" >&2 && exit 2 ;;
esac
if ! cargo +nightly --version >/dev/null 2>&1; then
    echo "sanitize: there is no nightly Rust (rustup toolchain install nightly)" >&2
    exit 1
fi
# The tool is in the process before anything else is, also in C programs, OpenSSL and pkcs11-tool, so the test program is as always.
short=${tool:0:1}san
preload=$(cc -print-file-name="lib$short.so")
if [ ! -e "$preload" ]; then
    echo "sanitize: the C compiler has no lib$short.so" >&2
    exit 1
fi
if command -v clang >/dev/null; then
    watched=(CC_x86_64_unknown_linux_gnu=clang CFLAGS_x86_64_unknown_linux_gnu="-fsanitize=$tool -fno-omit-frame-pointer")
else
    watched=()
    echo "sanitize: there is no clang, so AWS-LC's C is not watched" >&2
fi

folder=$PWD/target/$short
reports=$folder/reports
rm -rf "$reports" && mkdir -p "$reports"
triple=x86_64-unknown-linux-gnu
build=(--locked --target "$triple" --target-dir "$folder")
flags="-Zsanitizer=$tool -Cforce-frame-pointers=yes"
if [ "$tool" = address ]; then
    # The module takes its memory for secrets, and AWS-LC all of its own, from the heap, where the tool sees each piece.
    flags="$flags --cfg perilune_watched"
    # Memory that the process keeps on purpose (the state of the module, what AWS-LC makes once) is not lost.
    export ASAN_OPTIONS="detect_leaks=0:log_path=$reports/report:${ASAN_OPTIONS:-}"
else
    # What the standard library does between threads has to be seen.
    rustup component add --toolchain nightly rust-src 2>/dev/null || true
    build+=(-Zbuild-std)
    # By way of libc the tool sees what is unmapped: a mapping at the same place, in another thread, is new memory.
    flags="$flags --cfg rustix_use_libc"
    # Rust calls the tool's copies of three functions by names of their own, which gcc's tool learnt after version 12.
    cat >"$folder/copies.c" <<'C'
#include <string.h>
void *__tsan_memcpy(void *to, const void *from, size_t bytes) { return memcpy(to, from, bytes); }
void *__tsan_memmove(void *to, const void *from, size_t bytes) { return memmove(to, from, bytes); }
void *__tsan_memset(void *to, int byte, size_t bytes) { return memset(to, byte, bytes); }
C
    cc -O1 -fno-builtin -shared -fPIC -o "$folder/copies.so" "$folder/copies.c"
    preload=$preload:$folder/copies.so
    export TSAN_OPTIONS="die_after_fork=0:report_thread_leaks=0:suppressions=$PWD/tests/sanitizers/thread.supp:log_path=$reports/report:${TSAN_OPTIONS:-}"
fi

watched_cargo() { env "${watched[@]}" RUSTFLAGS="$flags" cargo +nightly "$@"; }
watched_cargo build "${build[@]}" -p pkcs11-module
cargo build --locked -p perilune
acceptance=$(cargo test --locked -p perilune-tests --test acceptance --no-run --message-format json | python3 -c '
import json, sys
print([line["executable"] for line in map(json.loads, sys.stdin) if line.get("executable") and line["profile"]["test"]][-1])')

skips=()
while read -r name reason; do
    echo "skipped: $name: $reason"
    skips+=(--skip "$name")
done < <(grep -v -e '^#' -e '^$' "tests/sanitizers/$tool.skip")

status=0
env LD_PRELOAD="$preload" PERILUNE_MODULE="$folder/$triple/debug/libperilune_pkcs11.so" PERILUNE_TEST_LIMIT="${PERILUNE_TEST_LIMIT:-900}" \
    CARGO_MANIFEST_DIR="$PWD/tests" "$acceptance" "${skips[@]}" "$@" || status=$?
if [ "$tool" = thread ] && [ $# -eq 0 ]; then
    # Here each test program has the tool in itself.
    rooms=("${build[@]}" -p secret-memory -p token-store -p hsm-core)
    # The tool turns mlock into nothing, so there are no locked pages to find.
    watched_cargo test --no-fail-fast "${rooms[@]}" --lib --test device_key --test disk --test login -- \
        --skip the_pages_are_left_out_of_dumps_and_locked_as_far_as_the_limit_allows || status=$?
    watched_cargo test --no-fail-fast "${rooms[@]}" --test kernel -- events:: processes:: reading:: stateful:: threads:: || status=$?
fi

found=$(find "$reports" -type f -size +0 | wc -l)
find "$reports" -type f -size +0 -exec head -n 60 {} +
echo "$short: $found findings"
[ "$found" -eq 0 ] || exit 1
exit "$status"
