#!/usr/bin/env bash
# DNS names whose labels hold a dot, as instance names of DNS-SD do ("Build 1.2._http._tcp.local", RFC 6763 section 4.3).
#
# Versions   dns-packet 5.6.1 (npm); beside it dnspython 2.8.0 (PyPI), which escapes such a dot (RFC 4343 section 2.1)
# Seen       dns-packet decodes the label "Build 1.2" without an escape, so it cannot be told from the labels "Build 1" and "2".
#            Decoded and encoded again, a question asks for another name of one more label; a server that copies the question
#            into its answer that way answers what was not asked.
# Needs      node with npm, python3 with pip. Fails when any of this has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' > package.json
npm install --silent --no-audit --no-fund dns-packet@5.6.1
pip install --quiet --disable-pip-version-check --root-user-action=ignore --target python dnspython==2.8.0

cat > probe.mjs <<'JS'
import packet from "dns-packet";

const head = Buffer.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
const question = Buffer.concat([head, Buffer.from("\x09Build 1.2\x05_http\x04_tcp\x05local\x00\x00\x21\x00\x01", "latin1")]);
const { questions } = packet.decode(question);
const again = packet.encode(packet.decode(question));
const labels = [];
for (let at = 12; again[at] !== 0; at += again[at] + 1) labels.push(again.toString("latin1", at + 1, at + 1 + again[at]));
console.log(`dns-packet reads ${questions[0].name}`);
console.log(`dns-packet writes ${JSON.stringify(labels)}`);
JS
cat > probe.py <<'PY'
import dns.message

question = b"\x00\x01\x01\x00\x00\x01\x00\x00\x00\x00\x00\x00\x09Build 1.2\x05_http\x04_tcp\x05local\x00\x00\x21\x00\x01"
message = dns.message.from_wire(question)
print("dnspython reads", message.question[0].name)
print("dnspython writes the same:", message.to_wire() == question)
PY
seen=$(node probe.mjs; PYTHONPATH=python python3 probe.py)
printf '%s\n' "$seen"

expected='dns-packet reads Build 1.2._http._tcp.local
dns-packet writes ["Build 1","2","_http","_tcp","local"]
dnspython reads Build\0321\.2._http._tcp.local.
dnspython writes the same: True'
[ "$seen" = "$expected" ] || { echo "This is not what was seen before" >&2; exit 1; }
