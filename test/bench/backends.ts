/**
 * What answers behind every proxy, on the core of the load: nginx with a page of 1 kB for HTTP/1.1, nghttpd (nghttp2's own
 * server) with the same page for HTTP/2 and with a gRPC answer, whose status is in trailers, and stream_server.ts for TCP.
 */
import { mkdirSync, writeFileSync } from "node:fs";
import { bun } from "../../compile/repository.ts";
import { accepts, startProgram, waitFor, type Program } from "../support/processes.ts";
import { nginxCommand, nginxConfig } from "./peers/nginx.ts";
import type { Address } from "./peers/peer.ts";
import type { BackendName } from "./works.ts";

/** nghttpd knows types by the end of a name alone. */
export const paths = { page: "/1k", call: "/bench.Echo/Say.grpc" } as const;
/** A page, or a gRPC message with its head. */
export const answerBytes = 1_024;

export function backendAddresses(host: string): Record<BackendName, Address> {
  return {
    page: { host, port: 8000 },
    page2: { host, port: 8001 },
    grpc: { host, port: 8002 },
    stream: { host, port: 8003 },
  };
}

/** A message as gRPC frames it, of so many bytes in all: not compressed, its length, its bytes. */
export function grpcMessage(bytes: number): Buffer {
  const message = Buffer.alloc(bytes, "m");
  message.writeUInt8(0, 0);
  message.writeUInt32BE(bytes - 5, 1);
  return message;
}

export async function startBackends(
  folder: string,
  addresses: Readonly<Record<BackendName, Address>>,
  names: readonly BackendName[],
  core: number,
): Promise<Program[]> {
  const own = `${folder}/backend`;
  const html = `${own}/html`;
  mkdirSync(`${html}/bench.Echo`, { recursive: true });
  writeFileSync(`${html}${paths.page}`, "x".repeat(answerBytes));
  writeFileSync(`${html}${paths.call}`, grpcMessage(answerBytes));
  const commands: Record<BackendName, (at: Address) => string[]> = {
    page: (at) => page(own, html, at),
    page2: (at) => nghttpd(own, html, at),
    grpc: (at) => nghttpd(own, html, at, "--no-content-length", "--trailer", "grpc-status: 0"),
    stream: ({ host, port }) => [bun, `${import.meta.dir}/stream_server.ts`, host, String(port)],
  };
  return Promise.all(
    names.map(async (name) => {
      const at = addresses[name];
      const command = commands[name](at);
      const program = startProgram({ name: `backend ${name}`, command, log: `${own}/${name}.log`, core });
      const ready = async () => ((await accepts(at.host, at.port)) ? true : null);
      await waitFor(`the backend ${name} accepts`, ready, { program });
      return program;
    }),
  );
}

function page(own: string, html: string, at: Address): string[] {
  const http = `  open_file_cache max=10;\n  server { listen ${at.host}:${at.port}; root ${html}; }\n`;
  writeFileSync(`${own}/nginx.conf`, nginxConfig(own, http));
  return nginxCommand(own);
}

function nghttpd(own: string, html: string, at: Address, ...flags: string[]): string[] {
  writeFileSync(`${own}/mime.types`, "application/grpc grpc\n");
  // Some proxies send all their streams before they have read how many it takes: it takes them.
  const place = ["-a", at.host, "-m", "1024", "-d", html, `--mime-types-file=${own}/mime.types`];
  return ["nghttpd", "--no-tls", ...place, ...flags, String(at.port)];
}
