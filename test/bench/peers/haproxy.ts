/** HAProxy: one thread, connections reused always, `maxconn` well under half of the descriptor limit (or it refuses to start). */
import { writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { works, type Wire } from "../works.ts";
import type { Peer, PeerContext, Role } from "./peer.ts";

export const haproxy: Peer = {
  name: "HAProxy",
  works,
  version() {
    const answer = spawnSync("haproxy", ["-v"], { encoding: "utf8" });
    return answer.status === 0 ? (/version (\d+\.\d+\.\d+)/.exec(answer.stdout)?.[1] ?? "?") : null;
  },
  configure(context, role) {
    writeFileSync(`${role.folder}/haproxy.cfg`, configOf(context, role));
    return ["haproxy", "-db", "-f", `${role.folder}/haproxy.cfg`];
  },
};

function configOf(context: PeerContext, role: Role): string {
  const http = role.from !== "tcp";
  const bind = role.tlsIn === "none" ? clear(role.from) : tlsIn(context, role);
  const server = role.tlsOut === "none" ? clear(role.towards) : tlsOut(context, role);
  return `global
  nbthread 1
  maxconn 400
  ssl-default-bind-options ssl-min-ver TLSv1.3
  ssl-default-server-options ssl-min-ver TLSv1.3
defaults
  mode ${http ? "http" : "tcp"}
  timeout connect 5s
  timeout client 1h
  timeout server 1h
${http ? "  http-reuse always\n" : ""}${role.prompt ? "  option http-no-delay\n" : ""}listen bench
  bind ${context.address}:${role.port}${bind}
  server next ${role.to.host}:${role.to.port}${server}
`;
}

function clear(wire: Wire): string {
  return wire === "http2" ? " proto h2" : "";
}

function alpn(wire: Wire): string {
  return wire === "http2" ? " alpn h2" : "";
}

function tlsOut({ certificates: { root, client, server } }: PeerContext, { towards }: Role): string {
  return ` ssl crt ${client.both} ca-file ${root} verify required sni str(${server.name}) verifyhost ${server.name}${alpn(towards)}`;
}

function tlsIn({ certificates: { root, server } }: PeerContext, role: Role): string {
  const verified = role.tlsIn === "mutual" ? ` ca-file ${root} verify required` : "";
  return ` ssl crt ${server.both}${verified}${alpn(role.from)}`;
}
