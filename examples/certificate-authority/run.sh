#!/usr/bin/env bash
# Runs a small certificate authority whose key is in a token: issues, revokes, signs the revocation list.
#
#   examples/certificate-authority/run.sh [--module PATH] [--keep]
#
# The applicant has a key of its own in a file; only the authority's key is in the token.
# shellcheck source=../common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

# openssl ca with the authority's key; more options follow.
ca() { engine_openssl ca -config authority.cnf -name authority -engine pkcs11 -keyform engine -keyfile "$(key_uri ca)" -batch "$@"; }

begin "$@"
step "A token with the authority's key, RSA-3072"
make_token authority
token_tool --keypairgen --key-type rsa:3072 --id 01 --label ca

step "The authority's certificate and its books"
configure_engine
# A file of its own: openssl ca reads the one that it is given besides OPENSSL_CONF, and an engine is set up once.
cat >authority.cnf <<'CONF'
[authority]
database = index
serial = serial
crlnumber = crlnumber
new_certs_dir = .
certificate = ca.pem
default_md = sha256
default_days = 30
default_crl_days = 7
policy = policy
[policy]
commonName = supplied
[server]
basicConstraints = critical, CA:false
keyUsage = critical, digitalSignature
extendedKeyUsage = serverAuth
subjectAltName = DNS:localhost
CONF
: >index
echo 1000 >serial
echo 01 >crlnumber
authority ca "Perilune example CA"

step "An applicant's request, and the certificate for it"
run openssl req -new -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout applicant.key -subj /CN=localhost -out applicant.csr
ca -extensions server -in applicant.csr -out applicant.pem
ca -gencrl -out list.pem
run openssl verify -CAfile ca.pem -CRLfile list.pem -crl_check applicant.pem

step "The certificate is revoked"
ca -revoke applicant.pem -crl_reason keyCompromise
ca -gencrl -out list.pem
run openssl crl -in list.pem -CAfile ca.pem -noout
grep -q 'verify OK' output || die "the list is not signed by the authority"
refused "it stands on the list that the token signed" \
    openssl verify -CAfile ca.pem -CRLfile list.pem -crl_check applicant.pem

printf '\nAn authority issued and revoked a certificate with a key that stayed in the token.\n'
