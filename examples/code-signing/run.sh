#!/usr/bin/env bash
# Signs a real Windows program with keys that are made in a token and never leave it, and proves the signatures.
#
#   examples/code-signing/run.sh [--module PATH] [--keep] [--program FILE.exe]
#
# Needs Debian (12 or later) and a Rust toolchain; installs the Debian packages that are missing. Uses a temporary
# folder for everything. Each command is printed as it runs. See README.md beside this file.
options_more='[--program FILE.exe]'
program=
# shellcheck source=../common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"
here=$root/examples/code-signing

take_option() {
    [ "$1" = --program ] && [ $# -ge 2 ] || return 1
    program=$(realpath "$2")
    taken=2
}

# Takes a Windows program out of a wheel of Debian's setuptools: the launcher that pip puts beside Python scripts.
find_program() {
    local wheel members member
    if [ -n "$program" ]; then
        cp "$program" original.exe
        say "the program: $program"
    else
        wheel=$(dpkg -L python3-setuptools-whl | grep '\.whl$' || true)
        members=$(unzip -Z1 "$wheel" '*.exe' 2>/dev/null || true)
        member=$(grep 'cli-64\.exe$' <<<"$members" || tail -n 1 <<<"$members")
        [ -n "$member" ] || die "no Windows program in python3-setuptools-whl; name one with --program FILE.exe"
        unzip -p "$wheel" "$member" >original.exe
        say "the program: $member, from $wheel"
    fi
    [ "$(head -c 2 original.exe)" = MZ ] || die "original.exe is not a Windows program"
}

make_keys() {
    local name
    token_tool --keypairgen --key-type EC:prime256v1 --id 01 --label code-ca
    token_tool --keypairgen --key-type rsa:3072 --id 02 --label sign-rsa
    token_tool --keypairgen --key-type EC:prime256v1 --id 03 --label sign-ec
    token_tool --list-objects --type privkey
    for name in code-ca sign-rsa sign-ec; do
        grep -q "label: *$name\$" output || die "the token does not list $name"
    done
    say "The private keys, as the token describes them:"
    grep -E '^Private Key|label:|Access:' output | sed 's/^/      /'
    [ "$(grep -c 'never extractable' output)" = 3 ] || die "a private key could leave the token"
}

make_certificates() {
    local name id
    authority code-ca "Perilune example CA"
    certify sign-rsa "Perilune example publisher (RSA)" code-ca code_signing
    certify sign-ec "Perilune example publisher (EC)" code-ca code_signing
    run openssl verify -CAfile code-ca.pem sign-rsa.pem sign-ec.pem
    say "Both certificates lead to the CA. They go into the token, beside their keys:"
    for name in code-ca sign-rsa sign-ec; do
        case "$name" in code-ca) id=01 ;; sign-rsa) id=02 ;; sign-ec) id=03 ;; esac
        openssl x509 -in "$name.pem" -outform DER -out "$name.der"
        token_tool --write-object "$name.der" --type cert --id "$id" --label "$name"
    done
}

# osslsigncode up to 2.5 (Debian 12) takes the path for the engine's name as well, and then the engine refuses it.
# Left without the option it lets OpenSSL find the engine by its name, in the folder where Debian puts it.
choose_engine_option() {
    engine_option=(-pkcs11engine "$engine")
    local version
    version=$(osslsigncode --version 2>/dev/null | sed -n 's/^osslsigncode \([0-9.]*\).*/\1/p')
    if dpkg --compare-versions "${version:-0}" lt 2.6; then
        engine_option=()
        say "osslsigncode $version cannot be told the engine's path (2.6 can); it finds the engine itself."
    fi
}

sign_and_prove() {
    local name=$1
    step "Signing the program with $name: osslsigncode hashes it, the token signs the hash"
    run osslsigncode sign "${engine_option[@]}" -pkcs11module "$module" \
        -pkcs11cert "pkcs11:token=$label;object=$name;type=cert" -key "$(key_uri "$name")" -ac code-ca.pem \
        -h sha256 -n "Perilune example" -in original.exe -out "$name.exe"
    say "Signed: $(stat -c %s original.exe) bytes became $(stat -c %s "$name.exe"). Now proved three times, without the token:"
    run osslsigncode verify -CAfile code-ca.pem -in "$name.exe"
    grep -q '^Signature verification: ok' output || die "osslsigncode does not say that the signature is good"
    digest=$(sed -n 's/^Calculated message digest *: *\([0-9A-Fa-f]*\).*/\1/p' output | head -n 1)
    say "osslsigncode: Signature verification: ok; digest $digest"
    run osslsigncode extract-signature -pem -in "$name.exe" -out "$name.p7s.pem"
    run openssl pkcs7 -in "$name.p7s.pem" -outform DER -out "$name.p7s"
    show code-signing/prove.sh "$name.exe" "$name.p7s" code-ca.pem
    "$here/prove.sh" "$name.exe" "$name.p7s" code-ca.pem | tee output
    grep -qi "computed here: $digest\$" output || die "osslsigncode and prove.sh computed different digests"

    # One bit of the program, in the middle of it.
    local offset byte
    offset=$(($(stat -c %s original.exe) / 2))
    byte=$(od -An -t u1 -j "$offset" -N 1 "$name.exe" | tr -d ' ')
    cp "$name.exe" changed.exe
    # shellcheck disable=SC2059 # the format is the byte
    printf "\\x$(printf %02x $((byte ^ 1)))" | dd of=changed.exe bs=1 seek="$offset" conv=notrunc status=none
    say "With one bit changed at byte $offset:"
    refused "the signature does not fit the changed program" osslsigncode verify -CAfile code-ca.pem -in changed.exe
    refused "the digest differs" "$here/prove.sh" changed.exe "$name.p7s" code-ca.pem
}

# Whether a file, or a file of a folder, has these bytes (lower-case hexadecimal) anywhere.
holds() { find "$1" -type f -exec od -An -v -t x1 {} + | tr -d ' \n' | grep -F "$2" >/dev/null; }

where_the_keys_are() {
    local name bytes
    run cc -Wall -Werror -I "$root/ffi-headers/include" "$root/examples/c/extract.c" -o extract -ldl
    for name in sign-rsa sign-ec; do
        show ./extract "$module" "$label" "$name"
        ./extract "$module" "$label" "$name" || die "$name could leave the token"
    done
    # Whatever the public halves are, in the certificates they are found, in the store they must not be.
    for bytes in $(modulus sign-rsa) $(point sign-ec); do
        holds sign-rsa.der "$bytes" || holds sign-ec.der "$bytes" || die "the search itself does not work"
        ! holds store "$bytes" || die "the store shows a public key in clear"
    done
    for bytes in code-ca sign-rsa sign-ec "$USER_PIN" "$SO_PIN"; do
        ! grep -raqF "$bytes" store || die "the store shows '$bytes' in clear"
    done
    say "The store's folder, $(find store -type f | wc -l) files and $(du -sb store | cut -f 1) bytes, was searched: no modulus,"
    say "no curve point, no label and no PIN is in it in clear; every record is sealed with AES-256-GCM."
}

modulus() { openssl x509 -in "$1.pem" -noout -modulus | sed 's/^Modulus=//' | tr 'A-F' 'a-f'; }

point() { openssl x509 -in "$1.pem" -noout -pubkey | openssl pkey -pubin -outform DER | tail -c 64 | od -An -v -t x1 | tr -d ' \n'; }

begin "$@"
started=$SECONDS
say "The module: $module (below: \$MODULE)"

step "A token: the Security Officer's PIN guards the token, the user's PIN guards its keys"
say "Its store is $work/store; both PINs are random and live in this script only."
make_token code-signing

step "Three key pairs, generated in the token: a CA, an RSA-3072 and a P-256 signing key"
make_keys

step "A CA and two code-signing certificates: OpenSSL writes them, its engine has the token sign them"
configure_engine
make_certificates

step "A real Windows program"
find_program
choose_engine_option

sign_and_prove sign-rsa
sign_and_prove sign-ec

step "Where the private keys are: in the token, and nowhere else"
where_the_keys_are

printf '\nA Windows program was signed with an RSA and an EC key that never left the token, and proved; %d s.\n' \
    $((SECONDS - started))
