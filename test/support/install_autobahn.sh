#!/usr/bin/env bash
# Installs Autobahn|Testsuite, the conformance suite of WebSockets, into ~/.cache/heddle-peers (never into the repository) where it is
# missing. It runs on Python 2.7 alone, which is to be there with pip; without it the suite is skipped.
set -euo pipefail

suite="$HOME/.cache/heddle-peers/autobahn"
[ -x "$suite/wstest" ] && exit 0

python=""
for each in python2.7 python2 "$HOME"/.pyenv/versions/2.7*/bin/python; do
  "$each" -m pip --version >/dev/null 2>&1 || continue
  if "$each" -c 'import sys; sys.exit(sys.version_info[:2] != (2, 7))'; then python=$(command -v "$each"); break; fi
done
[ -n "$python" ] || { echo "Python 2.7 with pip is not installed: Autobahn will be skipped" >&2; exit 0; }

rm -rf "$suite"
mkdir -p "$suite"
"$python" -m pip install --quiet --disable-pip-version-check --target "$suite/packages" autobahntestsuite==0.8.2 || {
  rm -rf "$suite"
  echo "autobahntestsuite cannot be installed: Autobahn will be skipped" >&2
  exit 0
}
# A folder of packages that Python 2 does not take for one when it is not among its own.
touch "$suite/packages/zope/__init__.py"
cat >"$suite/wstest" <<EOS
#!/bin/sh
export PYTHONPATH="$suite/packages" PYTHONDONTWRITEBYTECODE=1
exec "$python" -W ignore -c 'from autobahntestsuite import wstest; wstest.run()' "\$@"
EOS
chmod +x "$suite/wstest"
