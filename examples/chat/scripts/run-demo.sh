#!/usr/bin/env bash
# Three terminals, from the folder examples/chat or any other:
#   scripts/run-demo.sh seed      terminal 1
#   scripts/run-demo.sh node 1    terminal 2
#   scripts/run-demo.sh node 2    terminal 3
# Everything is kept in $CHAT_DIR, by default a folder of this user below the temporary one.
set -euo pipefail
dir=${CHAT_DIR:-${TMPDIR:-/tmp}/barrel-chat-$(id -u)}
case "${1:-} ${2:-}" in
"seed ") name=seed ;;
"node "[0-9]*) name=node$2 ;;
*)
  echo "usage: $0 seed | node NUMBER" >&2
  exit 2
  ;;
esac
mkdir -p "$dir"
cd "$(dirname "$0")/.."
go build -o "$dir/chat-$name" .
exec "$dir/chat-$name" -name "$name@127.0.0.1" -dir "$dir"
