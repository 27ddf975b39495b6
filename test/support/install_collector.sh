#!/usr/bin/env bash
# Builds the OpenTelemetry Collector of test/support/collector into ~/.cache/heddle-peers (never into the repository) where this
# version of it is missing. Needs Go; without it the tests of what a Collector gets are skipped.
set -euo pipefail
cd "$(dirname "$0")/collector"

peers="$HOME/.cache/heddle-peers"
built="$peers/collector-$(cat go.mod go.sum main.go | sha256sum | cut -c1-12)"
[ -x "$built" ] && exit 0
command -v go >/dev/null || { echo "Go is not installed: what a Collector gets is not tested" >&2; exit 0; }
mkdir -p "$peers"
go build -mod=readonly -o "$built.new" .
mv "$built.new" "$built"
