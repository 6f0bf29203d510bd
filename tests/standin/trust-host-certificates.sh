#!/bin/sh
# trust-host-certificates.sh BUNDLE: make this system trust every certificate of a
# PEM bundle that it does not trust already.
#
# Behind a TLS-intercepting proxy the host trusts one authority more than Debian
# does, and pip fails without it. Copying the host's bundle over the container's
# would work only until the next package run update-ca-certificates; certificates
# in /usr/local/share/ca-certificates stay. One file a certificate, because the
# hashed directory, which Python's ssl reads, takes no other.
set -eu

own=/etc/ssl/certs/ca-certificates.crt
added=/usr/local/share/ca-certificates

mkdir -p "$added"
awk -v own="$own" -v added="$added" '
    /-----BEGIN CERTIFICATE-----/ { certificate = "" ; inside = 1 }
    inside                        { sub(/\r$/, "") ; certificate = certificate $0 "\n" }
    /-----END CERTIFICATE-----/   {
        inside = 0
        if (certificate in seen) next
        seen[certificate] = 1
        if (FILENAME == own) next
        file = added "/host-" ++count ".crt"
        printf "%s", certificate > file
        close(file)
    }
' "$own" "$1"
update-ca-certificates
