#!/usr/bin/env bash
# Builds the PKCS#11 module of the crate `kryoptic`, so that `make bench` can compare with it.
#
#   scripts/build-kryoptic.sh        # makes target/kryoptic/libkryoptic_pkcs11.so; does nothing when it is there
#
# Kryoptic wants an OpenSSL that is newer than Debian's; the crate `openssl-src` brings the sources, which are linked in.
# Both come through cargo. Takes some five minutes on two cores, and 1 GB of disk.
set -euo pipefail

kryoptic=1.5.4
openssl=300.6

root=$(cd "$(dirname "$0")/.." && pwd)
"$root/scripts/install-packages.sh" kryoptic
target=${CARGO_TARGET_DIR:-$root/target}/kryoptic
module=$target/libkryoptic_pkcs11.so
if [ -e "$module" ]; then
    echo "$module is there already"
    exit 0
fi

mkdir -p "$target/fetch/src"
cd "$target/fetch"
cat >Cargo.toml <<END
[package]
name = "fetch"
version = "0.0.0"
edition = "2024"
[dependencies]
kryoptic = "=$kryoptic"
openssl-src = "$openssl"
[workspace]
END
touch src/lib.rs
cargo vendor --quiet "$target/vendor" >/dev/null

rm -rf "$target/source" "$target/openssl"
cp -r "$target/vendor/kryoptic" "$target/source"
cp -r "$target/vendor/openssl-src/openssl" "$target/openssl"

# As the crate ossl-sys would configure it, less what these sources lack (shared libraries, modules, tests).
cd "$target/openssl"
./Configure enable-ec_nistp_64_gcc_128 no-deprecated no-aria no-argon2 no-atexit no-des no-dsa no-cast no-mdc2 no-ec2m no-rc2 \
    no-rc4 no-rc5 no-rmd160 no-seed no-sm2 no-sm3 no-sm4 no-docs no-tests no-shared no-module no-legacy no-apps \
    '-DDEVRANDOM=\"/dev/urandom\"'
make -s -j"$(nproc)" build_libs

cd "$target/source"
# The copy stands alone, whatever workspace is around it. Published, it forgets to ask for its bindings to OpenSSL.
printf '\n[workspace]\n' >>Cargo.toml
sed -i '/^\[dependencies.ossl\]/,/^default-features/ s/^default-features.*/&\nfeatures = ["ossl-sys"]/' Cargo.toml
CONFDIR=/etc KRYOPTIC_OPENSSL_SOURCES=$target/openssl CARGO_TARGET_DIR=$target/build \
    cargo build --release --no-default-features --features standard
cp "$target/build/release/libkryoptic_pkcs11.so" "$module"
# The module itself tells no version.
version=$(. "$target/openssl/VERSION.dat" && echo "$MAJOR.$MINOR.$PATCH")
echo "crate kryoptic $kryoptic with OpenSSL $version" >"${module%.so}.version"
rm -rf "$target/vendor" "$target/build" "$target/fetch"
echo "$module is built"
