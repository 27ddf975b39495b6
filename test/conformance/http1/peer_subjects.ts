/** nginx and HAProxy as reverse proxies in front of the raw backend, set up as their manuals advise. */
import { mkdirSync, writeFileSync } from "node:fs";
import { nginxCommand, nginxConfig, nginx } from "../../bench/peers/nginx.ts";
import { haproxy } from "../../bench/peers/haproxy.ts";
import { addressOf } from "../../support/addresses.ts";
import { accepts, startProgram, waitFor } from "../../support/processes.ts";
import type { StartedSubject } from "./heddle_subject.ts";
import { startBackendAt, tcpSubject, type Place } from "./tcp_subject.ts";

export interface PeerSubject {
  readonly name: string;
  /** null when it is not installed. */
  version(): string | null;
  start(folder: string): Promise<StartedSubject>;
}

export const peerSubjects: readonly PeerSubject[] = [
  {
    name: nginx.name,
    version: nginx.version,
    start: (folder) =>
      start(nginx.name, 91, folder, (own, to) => {
        writeFileSync(`${own.folder}/nginx.conf`, nginxConfig(own.folder, nginxServer(own.place, to)));
        return nginxCommand(own.folder);
      }),
  },
  {
    name: haproxy.name,
    version: haproxy.version,
    start: (folder) =>
      start(haproxy.name, 92, folder, (own, to) => {
        writeFileSync(`${own.folder}/haproxy.cfg`, haproxyConfig(own.place, to));
        return ["haproxy", "-db", "-f", `${own.folder}/haproxy.cfg`];
      }),
  },
];

interface Own {
  readonly folder: string;
  readonly place: Place;
}

async function start(
  name: string,
  index: number,
  parent: string,
  configure: (own: Own, to: Place) => string[],
): Promise<StartedSubject> {
  const host = addressOf(index);
  const own = { folder: `${parent}/${name}`, place: { host, port: 8001 } };
  mkdirSync(own.folder, { recursive: true });
  const to = { host, port: 8088 };
  const backend = startBackendAt(to);
  const program = startProgram({ name, command: configure(own, to), log: `${own.folder}/log` });
  const ready = async () => ((await accepts(host, own.place.port)) ? true : null);
  await waitFor(`${name} accepts`, ready, { program });
  return {
    ...tcpSubject(backend, { all: own.place, one: own.place }),
    stop: async () => {
      await program.stop();
      backend.close();
    },
  };
}

function nginxServer(at: Place, to: Place): string {
  return `  map $http_upgrade $connection_upgrade { default upgrade; "" ""; }
  upstream next {
    server ${to.host}:${to.port};
    keepalive 16;
  }
  server {
    listen ${at.host}:${at.port};
    client_header_timeout 10s;
    client_body_timeout 10s;
    location / {
      proxy_pass http://next;
      proxy_http_version 1.1;
      proxy_next_upstream off;
      proxy_set_header Host $host;
      proxy_set_header Upgrade $http_upgrade;
      proxy_set_header Connection $connection_upgrade;
      proxy_set_header Via "$server_protocol nginx";
    }
  }
`;
}

function haproxyConfig(at: Place, to: Place): string {
  return `global
  nbthread 1
  maxconn 400
defaults
  mode http
  timeout connect 5s
  timeout client 10s
  timeout server 10s
  timeout http-request 10s
  http-reuse always
  retries 0
listen front
  bind ${at.host}:${at.port}
  http-request add-header Via "1.1 haproxy"
  http-response add-header Via "1.1 haproxy"
  server next ${to.host}:${to.port}
`;
}
