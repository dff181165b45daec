#!/bin/sh
# Signs the text on the standard input as a UKey would, and prints what is pasted back: sign.sh KEY CERTIFICATE < text
set -eu
key=${1:?usage: sign.sh KEY CERTIFICATE}
certificate=${2:?usage: sign.sh KEY CERTIFICATE}
openssl x509 -in "$certificate"
echo '-----BEGIN TONGBAN SIGNATURE-----'
# The shell drops line breaks at the end, which copying may have added.
printf '%s' "$(cat)" | openssl dgst -sm3 -sign "$key" -sigopt distid:1234567812345678 | base64
echo '-----END TONGBAN SIGNATURE-----'
