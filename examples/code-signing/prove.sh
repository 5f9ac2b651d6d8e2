#!/usr/bin/env bash
# Proves an Authenticode signature with plain OpenSSL and the tools of every Debian: no token, no engine, no osslsigncode.
#
#   prove.sh PROGRAM SIGNATURE CA.pem
#
# PROGRAM is a signed PE file, SIGNATURE the PKCS#7 taken out of it (DER), CA.pem the root to trust. Four things must hold:
#   1. SIGNATURE is what stands in PROGRAM;
#   2. the digest computed here over PROGRAM is the one in the signed content (SpcIndirectDataContent);
#   3. the signature over that content verifies, and the signer's certificate leads to CA.pem;
#   4. the signer's certificate is for code signing.
# Rule source: Microsoft, "Windows Authenticode Portable Executable Signature Format" (2008); PE format, "Attribute
# Certificate Table"; RFC 2315.
set -euo pipefail
export LC_ALL=C OPENSSL_CONF=/dev/null
[ $# = 3 ] || { echo "usage: $0 PROGRAM SIGNATURE CA.pem" >&2; exit 2; }
program=$1 signature=$2 ca=$3
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

say() { printf '   %s\n' "$*"; }
fail() { printf '   NOT PROVED: %s\n' "$*" >&2; exit 1; }

# A little-endian number of SIZE bytes at OFFSET of the program.
number() { od -An --endian=little -t "u$2" -j "$1" -N "$2" "$program" | tr -d ' '; }

# bytes FILE OFFSET COUNT
bytes() { dd if="$1" bs=64K iflag=skip_bytes,count_bytes skip="$2" count="$3" status=none; }

# Where the PE headers keep what a signature changes: the checksum, and the directory entry of the certificate table.
header=$(number 60 4)
[ "$(bytes "$program" "$header" 4 | od -An -t x1 | tr -d ' ')" = 50450000 ] || fail "$program is not a PE file"
checksum=$((header + 88))
case "$(number $((header + 24)) 2)" in
    267) entry=$((header + 24 + 128)) ;; # 0x10b: PE32
    523) entry=$((header + 24 + 144)) ;; # 0x20b: PE32+
    *) fail "$program has an optional header of an unknown kind" ;;
esac
table=$(number "$entry" 4)
[ "$table" -gt 0 ] || fail "$program is not signed"

# 1. The table holds a length, revision and type (8 bytes), then the PKCS#7, padded to 8 bytes.
bytes "$program" $((table + 8)) "$(stat -c %s "$signature")" | cmp -s - "$signature" ||
    fail "$signature is not what stands in $program"

# 2. The digest is over the whole file without those two fields and the table.
computed=$({
    bytes "$program" 0 "$checksum"
    bytes "$program" $((checksum + 4)) $((entry - checksum - 4))
    bytes "$program" $((entry + 8)) $((table - entry - 8))
} | openssl dgst -sha256 -r | cut -d ' ' -f 1)

# The content is the SEQUENCE after the object identifier 1.3.6.1.4.1.311.2.1.4, the digest the last string in it.
openssl asn1parse -inform DER -in "$signature" >"$folder/structure"
read -r offset head_bytes content_bytes signed < <(awk '
    /:1\.3\.6\.1\.4\.1\.311\.2\.1\.4$/ { here = 1 }
    here && !found && /:d=5 .*cons: SEQUENCE/ {
        line = $0; gsub(/[^0-9]+/, " ", line); split(line, part, " "); found = 1
        place = part[1] " " part[3] " " part[4]
    }
    found && /:d=7 .*prim: OCTET STRING/ { sub(/.*:/, ""); print place, tolower($0); exit }' "$folder/structure") ||
    fail "the signed content is not SpcIndirectDataContent"
say "digest of the program, computed here: $computed"
say "digest in the signed content:         $signed"
[ "$computed" = "$signed" ] || fail "the program is not the one that was signed"

# 3. What is signed are the octets inside that SEQUENCE (RFC 2315, 9.3), so OpenSSL is handed just these.
bytes "$signature" $((offset + head_bytes)) "$content_bytes" >"$folder/content"
openssl smime -verify -binary -inform DER -in "$signature" -content "$folder/content" -purpose any -CAfile "$ca" \
    -signer "$folder/signer.pem" -out /dev/null 2>"$folder/words" </dev/null || {
    cat "$folder/words" >&2
    fail "OpenSSL does not verify the signature"
}
say "openssl smime -verify: $(grep -i 'verification successful' "$folder/words")"

# 4. The certificate that OpenSSL used to verify.
openssl x509 -in "$folder/signer.pem" -noout -ext extendedKeyUsage | grep 'Code Signing' >/dev/null ||
    fail "the signer's certificate is not for code signing"
say "signed by: $(openssl x509 -in "$folder/signer.pem" -noout -subject | sed 's/^subject= *//'), a certificate for code signing"
