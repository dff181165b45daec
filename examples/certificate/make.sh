#!/bin/sh
# Makes an authority, a soft certificate for one person and an empty revocation list, all SM2, in the folder named.
# For demonstrations alone: a key in a file is worth as much as the file is safe.
set -eu
folder=${1:?usage: make.sh FOLDER}
id='distid:1234567812345678'
mkdir -p "$folder"
chmod 700 "$folder"
cd "$folder"
umask 077

key() { openssl ecparam -name SM2 -genkey -noout -out "$1"; }

cat > authority.cnf <<CNF
[ca]
default_ca = demo
[demo]
database = index.txt
crlnumber = crlnumber
default_md = sm3
default_crl_days = 30
[authority]
basicConstraints = critical,CA:TRUE,pathlen:0
keyUsage = critical,keyCertSign,cRLSign
[person]
basicConstraints = critical,CA:FALSE
keyUsage = critical,digitalSignature
extendedKeyUsage = clientAuth
CNF
: > index.txt
printf '01\n' > crlnumber

key authority.key
openssl req -new -sm3 -sigopt "$id" -key authority.key -subj '/C=CN/O=Demo authority' -out authority.csr
openssl x509 -req -sm3 -sigopt "$id" -vfyopt "$id" -in authority.csr -signkey authority.key -days 3650 \
  -extfile authority.cnf -extensions authority -out authority.pem

key person.key
openssl req -new -sm3 -sigopt "$id" -key person.key -subj '/C=CN/CN=Demo person' -out person.csr
openssl x509 -req -sm3 -sigopt "$id" -vfyopt "$id" -in person.csr -CA authority.pem -CAkey authority.key \
  -CAcreateserial -days 365 -extfile authority.cnf -extensions person -out person.pem

openssl ca -config authority.cnf -gencrl -sigopt "$id" -keyfile authority.key -cert authority.pem -out revoked.pem
