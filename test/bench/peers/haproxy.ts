/** HAProxy: one thread, connections reused always, `maxconn` well under half of the descriptor limit (or it refuses to start). */
import { writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import { works, type Peer, type PeerContext, type Role } from "./peer.ts";

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
  return `global
  nbthread 1
  maxconn 400
  ssl-default-bind-options ssl-min-ver TLSv1.3
  ssl-default-server-options ssl-min-ver TLSv1.3
defaults
  mode ${role.mode}
  timeout connect 5s
  timeout client 1h
  timeout server 1h
${role.mode === "http" ? "  http-reuse always\n" : ""}listen bench
  bind ${context.address}:${role.port}${role.tls === "in" ? tlsIn(context) : ""}
  server next ${role.to.host}:${role.to.port}${role.tls === "out" ? tlsOut(context) : ""}
`;
}

function tlsOut({ certificates: { root, client, server } }: PeerContext): string {
  return ` ssl crt ${client.both} ca-file ${root} verify required sni str(${server.name}) verifyhost ${server.name}`;
}

function tlsIn({ certificates: { root, server } }: PeerContext): string {
  return ` ssl crt ${server.both} ca-file ${root} verify required`;
}
