#!/usr/bin/env bash
# Uses a key of a token with OpenSSH: ssh-agent holds the token, never the key.
#
#   examples/ssh/run.sh [--module PATH] [--keep]
#
# Signs a file with ssh-keygen -Y, as Git does for commits; `ssh` logs in to servers through the same agent.
# shellcheck source=../common.sh
. "$(dirname "${BASH_SOURCE[0]}")/../common.sh"

agent=
stop_agent() {
    local status=$?
    [ -z "$agent" ] || kill "$agent" 2>/dev/null || true
    (exit "$status")
    finish
}

begin "$@"
command -v ssh-agent >/dev/null || die "no ssh-agent: install the Debian package openssh-client"
trap stop_agent EXIT

step "A token with an EC key"
make_token ssh
token_tool --keypairgen --key-type EC:prime256v1 --id 01 --label ssh-key

step "The public key, as servers want it"
# OpenSSH asks for PINs through a program when it has no terminal.
printf '#!/bin/sh\ncat "%s/pin"\n' "$work" >askpass
chmod 700 askpass
export SSH_ASKPASS=$work/askpass SSH_ASKPASS_REQUIRE=force
run ssh-keygen -D "$module"
grep '^ecdsa-sha2-nistp256 ' output >key.pub || die "ssh-keygen does not list the key"
say "$(cut -c 1-100 key.pub)..."

step "An agent that may load this module, and the token in it"
show ssh-agent -P "$module" -a agent.socket
ssh-agent -P "$module" -a "$work/agent.socket" >output
agent=$(sed -n 's/^SSH_AGENT_PID=\([0-9]*\);.*/\1/p' output)
export SSH_AUTH_SOCK=$work/agent.socket
run ssh-add -s "$module"
run ssh-add -T key.pub

step "A signature by the token, and its proof without the token"
echo "signed by a key that never leaves the token" >letter
run ssh-keygen -Y sign -f key.pub -n example letter
echo "me@example.org $(cat key.pub)" >allowed
say '$ ssh-keygen -Y verify -f allowed -I me@example.org -n example -s letter.sig < letter'
ssh-keygen -Y verify -f allowed -I me@example.org -n example -s letter.sig <letter | sed 's/^/   /'
if ssh-keygen -Y verify -f allowed -I me@example.org -n example -s letter.sig </dev/null >output 2>&1; then
    die "the signature fits another text"
fi

printf '\nOpenSSH signed with a key that stayed in the token.\n'
