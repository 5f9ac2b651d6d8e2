#!/bin/sh
# Fuzzes the targets one after the other, each for SECONDS_EACH seconds (default 60), with nightly Rust and AddressSanitizer.
#
#   scripts/fuzz.sh                 all targets
#   scripts/fuzz.sh calls der       these
#   scripts/fuzz.sh --merge calls   takes what was found into fuzz/corpus, as few and small inputs as have the same coverage
#   scripts/fuzz.sh --build         builds only
#
# New inputs go to target/fuzz/corpus, inputs that fail to fuzz/artifacts/TARGET; `cargo +nightly fuzz run TARGET FILE`, in fuzz/,
# runs one of these again.
set -eu
cd "$(dirname "$0")/../fuzz"

if ! cargo +nightly fuzz --version >/dev/null 2>&1; then
    echo "installing cargo-fuzz" >&2
    cargo install --locked --quiet cargo-fuzz
fi
# AWS-LC's C is watched, too; that takes clang, whose runtime is the one that Rust brings.
if command -v clang >/dev/null; then
    export CC_x86_64_unknown_linux_gnu=clang CFLAGS_x86_64_unknown_linux_gnu='-fsanitize=address -fno-omit-frame-pointer'
fi

merge=
case "${1:-}" in
    --build) exec cargo +nightly fuzz build --fuzz-dir . ;;
    --merge) merge=1; shift ;;
esac
[ $# -gt 0 ] || set -- calls templates parameters der records configuration backup words

# Memory that the process keeps on purpose (the state of the module, what AWS-LC makes once) is not lost.
export ASAN_OPTIONS="detect_leaks=0:${ASAN_OPTIONS:-}"
for target in "$@"; do
    found=../target/fuzz/corpus/$target
    mkdir -p "$found" "corpus/$target"
    if [ -n "$merge" ]; then
        # Into an empty folder first: what the kept ones no longer add goes.
        fresh=../target/fuzz/merged/$target
        rm -rf "$fresh" && mkdir -p "$fresh"
        cargo +nightly fuzz run --fuzz-dir . "$target" "$fresh" "corpus/$target" "$found" -- \
            -merge=1 -max_len="${MAX_LEN:-1024}" -timeout=60 -rss_limit_mb=4096
        rm -rf "corpus/$target" && mv "$fresh" "corpus/$target"
    else
        echo "==> $target"
        cargo +nightly fuzz run --fuzz-dir . "$target" "$found" "corpus/$target" -- \
            -max_total_time="${SECONDS_EACH:-60}" -max_len="${MAX_LEN:-4096}" -timeout=60 -rss_limit_mb=4096 -print_final_stats=1
    fi
done
