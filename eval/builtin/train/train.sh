#!/bin/sh
# Trains the built-in models on the embedded query set: some six minutes of
# processor time. Needs Go and Debian's python3-torch.
set -eu
cd "$(dirname "$0")"
(cd ../../.. && ${GO:-go} run ./cmd/disteval queries export) >queries.new
mv queries.new queries.jsonl
exec /usr/bin/python3 -B train.py "$@"
