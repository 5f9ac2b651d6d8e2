#!/usr/bin/env bash
# Installs the Debian packages that a purpose needs and that are not there yet.
#
#   scripts/install-packages.sh build|demo|test|kryoptic
#
# Does nothing, and asks for no right, when all are there. Where it may not install (not root, no sudo without
# a password, no apt), it says which packages are missing and stops.
set -euo pipefail

build="gcc g++ libc6-dev make"
demo="$build opensc libengine-pkcs11-openssl openssl osslsigncode python3-setuptools-whl unzip"
test="$demo age clang gcab gdb git gnutls-bin libjemalloc2 libssl-dev msitools nginx-light openssh-client openssh-server p11-kit p11-kit-modules python3 softhsm2 strace stunnel4 valgrind"
kryoptic="$build clang libsqlite3-dev perl pkg-config"

case "${1:-}" in
    build) wanted=$build ;;
    demo) wanted=$demo ;;
    test) wanted=$test ;;
    kryoptic) wanted=$kryoptic ;;
    *) echo "usage: $0 build|demo|test|kryoptic" >&2; exit 2 ;;
esac

if ! command -v dpkg-query >/dev/null; then
    echo "This is not a Debian system. Please install what these packages hold, then try again: $wanted" >&2
    exit 1
fi

missing=()
for package in $wanted; do
    state=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null || true)
    [ "$state" = installed ] || missing+=("$package")
done
[ ${#missing[@]} -gt 0 ] || exit 0

if [ "$(id -u)" = 0 ]; then
    as_root=()
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
    as_root=(sudo -n)
else
    echo "These Debian packages are missing, and this user may not install them:" >&2
    echo "    apt-get install ${missing[*]}" >&2
    exit 1
fi

echo "Installing Debian packages: ${missing[*]}"
log=$(mktemp)
trap 'rm -f "$log"' EXIT
install() {
    "${as_root[@]}" env DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends "${missing[@]}" >"$log" 2>&1
}
# A list of packages that is old or absent is the usual reason to fail, so it is fetched only then.
install || { "${as_root[@]}" apt-get update >"$log" 2>&1 || true; install; } || {
    tail -n 20 "$log" >&2
    echo "The Debian packages could not be installed (above: the end of apt's own words)." >&2
    exit 1
}
