#!/usr/bin/env bash
# The server side of STARTTLS, of a PROXY header before TLS, or of a gateway that reads the name first: an accepted plain socket is turned
# into TLS by upgradeTLS, and whoever holds the plain socket asks it for its peer afterwards.
#
# Versions   Bun 1.4.5 (npm)
# Seen       The plain socket goes on to exist, without an error, and its remoteAddress and remotePort are undefined from then on; the
#            secure socket has both. What was not read before the upgrade (access rules, logs, X-Forwarded-For) finds a peer without an
#            address. Node's net.Socket below a tls.TLSSocket keeps them.
# Needs      node with npm, openssl. Fails when any of this has changed.
set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
cd "$folder"
echo '{"private":true,"type":"module"}' > package.json
npm install --silent --no-audit --no-fund --ignore-scripts bun@1.4.5 2>/dev/null
bun=$(ls node_modules/@oven/bun-*/bin/bun | head -1)
openssl req -x509 -newkey ec -pkeyopt ec_paramgen_curve:prime256v1 -nodes -keyout key.pem -out cert.pem -days 2 \
  -subj /CN=a.example >/dev/null 2>&1

cat > bun.mjs <<'JS'
import { readFileSync } from "node:fs";

const tls = { key: readFileSync("key.pem"), cert: readFileSync("cert.pem") };
const of = ({ remoteAddress, remotePort }) => `${remoteAddress} ${remotePort > 0 ? "a port" : remotePort}`;
const server = Bun.listen({
  hostname: "127.0.0.1",
  port: 0,
  socket: {
    open(plain) {
      plain.upgradeTLS({
        ...{ tls, isServer: true },
        socket: {
          handshake(secure) {
            console.log(`plain: ${of(plain)}; secure: ${of(secure)}`);
            secure.end();
            server.stop(true);
          },
          data() {},
        },
      });
    },
    data() {},
  },
});
const socket = { data() {}, close: () => process.exit(0) };
await Bun.connect({ hostname: "127.0.0.1", port: server.port, tls: { rejectUnauthorized: false }, socket });
setTimeout(() => process.exit(1), 10_000);
JS
cat > node.mjs <<'JS'
import { readFileSync } from "node:fs";
import net from "node:net";
import tls from "node:tls";

const of = ({ remoteAddress, remotePort }) => `${remoteAddress} ${remotePort > 0 ? "a port" : remotePort}`;
const secureContext = tls.createSecureContext({ key: readFileSync("key.pem"), cert: readFileSync("cert.pem") });
const server = net.createServer((plain) => {
  const secure = new tls.TLSSocket(plain, { isServer: true, secureContext });
  secure.on("secure", () => {
    console.log(`plain: ${of(plain)}; secure: ${of(secure)}`);
    process.exit(0);
  });
});
server.listen(0, "127.0.0.1", () =>
  tls.connect({ host: "127.0.0.1", port: server.address().port, rejectUnauthorized: false }),
);
setTimeout(() => process.exit(1), 10_000);
JS
seen="Bun  $("$bun" bun.mjs)
Node $(node node.mjs)"
printf 'Bun %s\n%s\n' "$("$bun" --version)" "$seen"

[ "$seen" = "Bun  plain: undefined undefined; secure: 127.0.0.1 a port
Node plain: 127.0.0.1 a port; secure: 127.0.0.1 a port" ] || { echo "this has changed"; exit 1; }
