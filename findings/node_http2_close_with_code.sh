#!/usr/bin/env bash
# HTTP/2 in Node: a server that gives up in the middle of an answer, with `stream.close(NGHTTP2_INTERNAL_ERROR)`.
#
# Versions   node 20.20.2, 22.22.0, 24.13.0, 26.10.0 (npm package `node`), module node:http2
# Seen       The documentation says that `close(code)` sends RST_STREAM with the code. It does in the turn of the event loop that
#            wrote the last data: RST_STREAM 2. Once that data has left, the same call ends the answer properly instead: an empty
#            DATA with END_STREAM, then RST_STREAM 0 (20, 22) or nothing (24, 26). The client takes half an answer for a whole one,
#            and the code is lost; a gRPC caller sees no reset. `stream.destroy(error)` sends RST_STREAM 2 at any time.
# Needs      npm. Fails when any of this has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"

cat > probe.mjs <<'JS'
import http2 from "node:http2";
import net from "node:net";

const [, , how, when] = process.argv;
const server = http2.createServer();
server.on("stream", (stream) => {
  stream.on("error", () => {});
  stream.respond({ ":status": 200 });
  const giveUp = () =>
    how === "destroy"
      ? stream.destroy(new Error("broken"))
      : stream.close(http2.constants.NGHTTP2_INTERNAL_ERROR);
  stream.write("half an answer");
  // "later": once the client has the data.
  if (when === "now") giveUp();
  else later = giveUp;
});
let later = null;

const names = { 0: "DATA", 1: "HEADERS", 3: "RST_STREAM" };
const frame = (type, flags, id, body = Buffer.alloc(0)) => {
  const head = Buffer.alloc(9);
  head.writeUIntBE(body.length, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(id, 5);
  return Buffer.concat([head, body]);
};

server.listen(0, "127.0.0.1", () => {
  const socket = net.connect(server.address().port, "127.0.0.1");
  // GET / of the authority "x".
  const block = Buffer.from([0x82, 0x86, 0x84, 0x41, 1, 0x78]);
  socket.write(Buffer.concat([Buffer.from("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), frame(4, 0, 0), frame(1, 5, 1, block)]));
  let rest = Buffer.alloc(0);
  const seen = [];
  const done = () => {
    console.log(`${how} ${when}: ${seen.join(", ")}`);
    process.exit(0);
  };
  socket.on("data", (chunk) => {
    rest = Buffer.concat([rest, chunk]);
    while (rest.length >= 9 && rest.length >= 9 + rest.readUIntBE(0, 3)) {
      const body = rest.subarray(9, 9 + rest.readUIntBE(0, 3));
      const [type, flags, id] = [rest[3], rest[4], rest.readUInt32BE(5)];
      rest = rest.subarray(9 + body.length);
      if (id !== 1 || names[type] === undefined) continue;
      const ends = type < 2 && (flags & 1) === 1;
      seen.push(`${names[type]}${ends ? "+END_STREAM" : ""}${type === 3 ? ` ${body.readUInt32BE(0)}` : ""}`);
      if (type === 0 && body.length > 0 && later !== null) setTimeout(later, 20);
      // What follows END_STREAM, if anything does, comes at once.
      if (ends) setTimeout(done, 300);
      if (type === 3) done();
    }
  });
});
JS

wanted_20='close now: HEADERS, DATA, RST_STREAM 2
close later: HEADERS, DATA, DATA+END_STREAM, RST_STREAM 0
destroy later: HEADERS, DATA, RST_STREAM 2'
wanted_26='close now: HEADERS, DATA, RST_STREAM 2
close later: HEADERS, DATA, DATA+END_STREAM
destroy later: HEADERS, DATA, RST_STREAM 2'

for pair in 20.20.2:20 22.22.0:20 24.13.0:26 26.10.0:26; do
  version=${pair%%:*}
  mkdir "$version"
  (cd "$version" && npm init -y >/dev/null && npm install --silent "node@$version" >/dev/null)
  node="$version/node_modules/.bin/node"
  seen=$(for what in "close now" "close later" "destroy later"; do timeout 20 "$node" probe.mjs $what; done)
  printf 'node %s\n%s\n' "$version" "$seen"
  wanted="wanted_${pair##*:}"
  [ "$seen" = "${!wanted}" ] || { echo "changed; before: ${!wanted}" >&2; exit 1; }
done
