#!/usr/bin/env bash
# Asks the tools that know about other people's code: licences, sources and bans (`cargo deny`), who vouches for which version
# (`cargo vet`, record in supply-chain/), known advisories where their database can be reached.
set -euo pipefail
cd "$(dirname "$0")/.."

for tool in deny vet; do
    cargo "$tool" --version >/dev/null 2>&1 || cargo install --locked --quiet "cargo-$tool"
done
cargo deny --log-level error check bans licenses sources
cargo vet --locked --frozen
cargo deny --log-level error check advisories || echo "advisories: see above; without a network their database cannot be read" >&2
