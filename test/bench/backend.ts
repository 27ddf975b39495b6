/** What answers behind every proxy: nginx with one static page of 1 kB, on the core of the load. */
import { mkdirSync, writeFileSync } from "node:fs";
import { accepts, startProgram, waitFor, type Program } from "../support/processes.ts";
import { nginxCommand, nginxConfig } from "./peers/nginx.ts";
import type { Address } from "./peers/peer.ts";

export const page = "/1k";

export async function startBackend(folder: string, at: Address, core: number): Promise<Program> {
  const own = `${folder}/backend`;
  mkdirSync(`${own}/html`, { recursive: true });
  writeFileSync(`${own}/html${page}`, "x".repeat(1_024));
  const http = `  open_file_cache max=10;\n  server { listen ${at.host}:${at.port}; root ${own}/html; }\n`;
  writeFileSync(`${own}/nginx.conf`, nginxConfig(own, http));
  const program = startProgram({ name: "backend", command: nginxCommand(own), log: `${own}/log`, core });
  const ready = async () => ((await accepts(at.host, at.port)) ? true : null);
  await waitFor("the backend accepts", ready, { program });
  return program;
}
