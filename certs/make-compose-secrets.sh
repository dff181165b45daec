#!/usr/bin/env bash
# Makes the secret files docker-compose.yml mounts, in ./secrets. Files that exist already stay as they are: new secrets would make
# sealed data and passwords unreadable.
set -euo pipefail
cd "$(dirname "$0")/.."
umask 077
mkdir -p secrets
# Only this user can enter the folder; inside a container the files are read by another user id.
make() {
  [ -e "secrets/$1" ] || printf '%s\n' "$2" >"secrets/$1"
  chmod 0644 "secrets/$1"
}
random() { openssl rand -base64 32 | tr '+/' '-_' | tr -d '=\n'; }

for name in postgres_password encryption_key index_key pepper pairwise_salt cookie_keys citizen_centre business_start_up grafana_password; do
  make "$name" "$(random)"
done
make database_url "postgres://tongban:$(cat secrets/postgres_password)@postgres:5432/tongban"
echo "The secrets lie in ./secrets. They are not part of the repository."
