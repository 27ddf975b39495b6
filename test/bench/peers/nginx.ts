/**
 * nginx: one worker, connections kept to the backend and to the other proxy. It speaks HTTP/1.1 alone to what is behind it. No
 * opaque TCP here: its stream module is a package of its own.
 */
import { writeFileSync } from "node:fs";
import { spawnSync } from "node:child_process";
import type { Peer, PeerContext, Role } from "./peer.ts";

export const nginx: Peer = {
  name: "nginx",
  works: ["hop", "pair", "hop2", "edge"],
  version() {
    const answer = spawnSync("nginx", ["-v"], { encoding: "utf8" });
    return answer.status === 0 ? (/nginx\/(\S+)/.exec(answer.stderr)?.[1] ?? "?") : null;
  },
  configure(context, role) {
    writeFileSync(`${role.folder}/nginx.conf`, nginxConfig(role.folder, serverOf(context, role)));
    return nginxCommand(role.folder);
  },
};

export function nginxCommand(folder: string): string[] {
  return ["nginx", "-p", folder, "-c", `${folder}/nginx.conf`];
}

/** The whole configuration around one `http` body. */
export function nginxConfig(folder: string, http: string): string {
  return `daemon off;
worker_processes 1;
pid ${folder}/nginx.pid;
error_log stderr error;
events { worker_connections 8192; }
http {
  access_log off;
  keepalive_requests 100000000;
  keepalive_timeout 1h;
  client_body_temp_path ${folder}/body;
  proxy_temp_path ${folder}/proxy;
  fastcgi_temp_path ${folder}/fastcgi;
  uwsgi_temp_path ${folder}/uwsgi;
  scgi_temp_path ${folder}/scgi;
${http}}
`;
}

function serverOf(context: PeerContext, role: Role): string {
  // It cannot speak HTTP/2 to a backend: the page by HTTP/1.1 stands in.
  const to = role.towards === "http2" ? context.backends.page : role.to;
  return `  upstream next {
    server ${to.host}:${to.port};
    keepalive 256;
    keepalive_requests 100000000;
    keepalive_timeout 1h;
  }
  server {
    listen ${context.address}:${role.port}${role.tlsIn === "none" ? "" : " ssl"}${role.from === "http2" ? " http2" : ""};
${role.tlsIn === "none" ? "" : tlsIn(context, role)}    location / {
      proxy_pass ${role.tlsOut === "none" ? "http" : "https"}://next;
      proxy_http_version 1.1;
      proxy_set_header Connection "";
      proxy_set_header Host $host;
${role.tlsOut === "none" ? "" : tlsOut(context)}    }
  }
`;
}

function tlsOut({ certificates: { root, client, server } }: PeerContext): string {
  return `      proxy_ssl_protocols TLSv1.3;
      proxy_ssl_certificate ${client.chain};
      proxy_ssl_certificate_key ${client.key};
      proxy_ssl_trusted_certificate ${root};
      proxy_ssl_verify on;
      proxy_ssl_verify_depth 2;
      proxy_ssl_server_name on;
      proxy_ssl_name ${server.name};
`;
}

function tlsIn({ certificates: { root, server } }: PeerContext, role: Role): string {
  return `    ssl_protocols TLSv1.3;
    ssl_certificate ${server.chain};
    ssl_certificate_key ${server.key};
${role.tlsIn === "mutual" ? verifying(root) : ""}    ssl_session_cache shared:bench:1m;
`;
}

function verifying(root: string): string {
  return `    ssl_client_certificate ${root};
    ssl_verify_client on;
    ssl_verify_depth 2;
`;
}
