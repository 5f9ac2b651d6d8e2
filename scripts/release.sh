#!/usr/bin/env bash
# Builds what is delivered, in target/dist: the same bytes from the same commit, toolchain and compiler, in whatever folder.
#
#   scripts/release.sh              the archive, its lists of contents (SBOM) and its checksums
#   scripts/release.sh --binaries   the module and the command alone, with their checksums
#   scripts/release.sh --reproduce  builds the commit twice, in two new folders, and compares every byte
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD

scripts/install-packages.sh build
target=${CARGO_TARGET_DIR:-$root/target}
dist=$target/dist
version=$(sed -n '/^\[workspace.package\]/,/^\[/s/^version = "\(.*\)"/\1/p' Cargo.toml)
name=perilune-$version-$(rustc -vV | sed -n 's/^host: //p')

# The time of the commit is the only time in the archive.
SOURCE_DATE_EPOCH=$(git log -1 --format=%ct)
export SOURCE_DATE_EPOCH LC_ALL=C TZ=UTC

binaries() {
    # No folder of this machine is in a message of a panic, in __FILE__ of the C code, or in a symbol's name.
    local graph crates
    graph=$(cargo metadata --format-version 1 --locked)
    [[ $graph =~ \"manifest_path\":\"([^\"]*/registry/src/[^/\"]*) ]] || { echo "where does cargo keep the crates?" >&2; exit 1; }
    crates=${BASH_REMATCH[1]}
    export RUSTFLAGS="--remap-path-prefix=$target=/target --remap-path-prefix=$root=/perilune --remap-path-prefix=$crates=/crates"
    export CFLAGS="-ffile-prefix-map=$target=/target -ffile-prefix-map=$root=/perilune -ffile-prefix-map=$crates=/crates"
    CARGO_TARGET_DIR=$target/reproducible cargo build --locked --release -p pkcs11-module -p perilune
    mkdir -p "$dist"
    cp "$target/reproducible/release/libperilune_pkcs11.so" "$target/reproducible/release/perilune" "$dist/"
    (cd "$dist" && sha256sum libperilune_pkcs11.so perilune >SHA256SUMS && cat SHA256SUMS)
}

# One list a binary, in CycloneDX: what of others is in it, with version, licence and hash.
lists() {
    cargo cyclonedx --version >/dev/null 2>&1 || cargo install --locked --quiet cargo-cyclonedx
    local room
    for room in pkcs11-module:libperilune_pkcs11.so admin:perilune; do
        cargo cyclonedx --quiet --manifest-path "${room%%:*}/Cargo.toml" --format json --spec-version 1.5 \
            --target x86_64-unknown-linux-gnu --no-build-deps --override-filename perilune-sbom
        mv "${room%%:*}/perilune-sbom.json" "$dist/${room##*:}.cdx.json"
        # The other rooms get a list as well; nobody asked for it.
        find . -name perilune-sbom.json -not -path './target/*' -delete
        sed -i "s|path+file://$root|path+file:///perilune|g" "$dist/${room##*:}.cdx.json"
    done
}

archive() {
    local folder=$dist/$name
    rm -rf "$folder" && mkdir -p "$folder/include"
    cp "$dist"/{libperilune_pkcs11.so,perilune,libperilune_pkcs11.so.cdx.json,perilune.cdx.json} \
        LICENSE README.md CHANGELOG.md SECURITY.md docs/dependencies.md docs/perilune.toml "$folder/"
    cp ffi-headers/include/*.h "$folder/include/"
    chmod -R u=rwX,go=rX "$folder"
    tar --sort=name --owner=0 --group=0 --numeric-owner --mtime="@$SOURCE_DATE_EPOCH" -C "$dist" -cf - "$name" | gzip -9n >"$dist/$name.tar.gz"
    rm -rf "$folder"
    (cd "$dist" && sha256sum libperilune_pkcs11.so perilune ./*.cdx.json "$name.tar.gz" | sed 's|\./||' >SHA256SUMS && cat SHA256SUMS)
}

# Folders of different lengths, so that nothing that is padded hides a path.
reproduce() {
    local one
    # Not a local: what is done at the end needs it.
    place=$(mktemp -d)
    trap 'rm -rf "$place"' EXIT
    for one in a another/folder; do
        git clone --quiet --local --no-hardlinks "$root" "$place/$one/perilune"
        (cd "$place/$one/perilune" && env -u CARGO_TARGET_DIR scripts/release.sh --binaries) >"$place/log" 2>&1 ||
            { cat "$place/log" >&2; exit 1; }
        cp "$place/$one/perilune/target/dist/SHA256SUMS" "$place/$(basename "$one").sums"
        rm -rf "${place:?}/$one/perilune/target/reproducible"
    done
    cat "$place/a.sums"
    for one in libperilune_pkcs11.so perilune; do
        cmp "$place/a/perilune/target/dist/$one" "$place/another/folder/perilune/target/dist/$one"
    done
    echo "the same bytes from two folders"
}

case "${1:-}" in
    --binaries) binaries ;;
    --reproduce) reproduce ;;
    '') binaries; lists; archive ;;
    *) sed -n '2,7s/^# \{0,1\}//p' "$0" >&2; exit 2 ;;
esac
