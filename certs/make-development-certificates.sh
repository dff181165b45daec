#!/usr/bin/env bash
# Makes a small certificate authority of your own and a server certificate for localhost, for trying https in front of the server.
# Everything lands in certs/local, which is never committed. Usage: certs/make-development-certificates.sh [NAME ...]
set -euo pipefail
cd "$(dirname "$0")"
umask 077
mkdir -p local
cd local
names="DNS:localhost,IP:127.0.0.1,IP:::1"
for name in "$@"; do names="$names,DNS:$name"; done

if [ ! -e ca.key ]; then
  openssl ecparam -name prime256v1 -genkey -noout -out ca.key
  openssl req -x509 -new -key ca.key -sha256 -days 365 -subj '/CN=Tongban ID development only' \
    -addext 'basicConstraints=critical,CA:TRUE,pathlen:0' -addext 'keyUsage=critical,keyCertSign,cRLSign' -out ca.crt
fi
openssl ecparam -name prime256v1 -genkey -noout -out server.key
openssl req -new -key server.key -subj '/CN=localhost' -out server.csr
openssl x509 -req -in server.csr -CA ca.crt -CAkey ca.key -CAcreateserial -sha256 -days 90 -out server.crt -extfile <(
  printf 'basicConstraints=CA:FALSE\nkeyUsage=critical,digitalSignature\nextendedKeyUsage=serverAuth\nsubjectAltName=%s\n' "$names"
) 2>/dev/null
rm server.csr
openssl verify -CAfile ca.crt server.crt
echo "certs/local/server.crt and server.key are for $names; trust certs/local/ca.crt for as long as you develop."
