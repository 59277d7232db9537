#!/bin/sh
# Makes the certificates of this folder, which are valid for a hundred years. The keys protect nothing but test servers.
set -eu
cd "$(dirname "$0")"
authority() {
  openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -days 36500 -keyout "$1.key" -out "$1.crt" -subj "/CN=$1"
}
signed() { # name, common name, extension
  openssl req -newkey ec -pkeyopt ec_paramgen_curve:P-256 -nodes -keyout "$1.key" -out "$1.csr" -subj "/CN=$2"
  printf '%s\n' "$3" >extensions
  openssl x509 -req -in "$1.csr" -CA authority.crt -CAkey authority.key -set_serial "0x$(openssl rand -hex 8)" -days 36500 \
    -extfile extensions -out "$1.crt"
  rm "$1.csr" extensions
}
authority authority
authority stranger
signed server 127.0.0.1 'subjectAltName=IP:127.0.0.1'
signed client svc 'extendedKeyUsage=clientAuth'
rm authority.key stranger.key
