/**
 * A PostgreSQL server of a test's own, in a folder that goes with it, and `psql` as its client. The server refuses to be root:
 * there it runs as the user `postgres`, whom its package makes.
 */
import {
  appendFileSync,
  chmodSync,
  chownSync,
  existsSync,
  mkdtempSync,
  readdirSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { spawnSync } from "node:child_process";
import { makeTestAuthority } from "./certificates.ts";
import { hasProgram, plainEnvironment, runProgram, startProgram, waitFor } from "./processes.ts";
import type { Program } from "./processes.ts";

const versions = "/usr/lib/postgresql";
const isRoot = process.getuid?.() === 0;

/** Where the programs of the newest server are: Debian keeps them off the PATH. "" when there is none. */
function programs(): string {
  const installed = existsSync(versions) ? readdirSync(versions).map(Number) : [];
  const newest = Math.max(0, ...installed);
  const folder = `${versions}/${newest}/bin`;
  return existsSync(`${folder}/initdb`) ? folder : "";
}

export const hasPostgres: boolean =
  hasProgram("psql") && programs() !== "" && (!isRoot || (hasProgram("setpriv") && userId() !== null));

/** Of the user that the server runs as, when this process is root. */
function userId(): { readonly user: number; readonly group: number } | null {
  const [user, group] = ["-u", "-g"].map((flag) => spawnSync("id", [flag, "postgres"], { encoding: "utf8" }));
  if (user?.status !== 0 || group?.status !== 0) return null;
  return { user: Number(user.stdout), group: Number(group.stdout) };
}

const asServer: readonly string[] = isRoot
  ? ["setpriv", "--reuid=postgres", "--regid=postgres", "--init-groups"]
  : [];

export interface Postgres {
  stop(): Promise<void>;
}

/** A server that takes everyone on loopback without a password, with and without TLS. */
export async function startPostgres(host: string, port: number): Promise<Postgres> {
  const folder = mkdtempSync(`${tmpdir()}/heddle-postgres-`);
  const data = `${folder}/data`;
  const own = isRoot ? userId() : null;
  if (own !== null) chownSync(folder, own.user, own.group);
  const make = ["--auth=trust", "--username=tester", "--no-sync", "--no-locale", "--encoding=UTF8"];
  runProgram([...asServer, `${programs()}/initdb`, ...make, "-D", data]);
  appendFileSync(`${data}/pg_hba.conf`, "host all all 127.0.0.0/8 trust\n");
  const credential = await (await makeTestAuthority()).issue({ dns: ["db.test"] });
  for (const [name, text] of [
    ["server.crt", credential.chainPem],
    ["server.key", credential.keyPem],
  ] as const) {
    const path = `${data}/${name}`;
    writeFileSync(path, text);
    chmodSync(path, 0o600);
    if (own !== null) chownSync(path, own.user, own.group);
  }
  const settings = { ssl: "on", fsync: "off", unix_socket_directories: "", max_wal_size: "4GB" };
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  // A change of user undoes the death signal that was asked for before it.
  const bound = hasProgram("setpriv") ? ["setpriv", "--pdeathsig", "KILL"] : [];
  const server = startProgram({
    name: "postgres",
    command: [
      ...asServer,
      ...bound,
      `${programs()}/postgres`,
      "-D",
      data,
      "-h",
      host,
      "-p",
      String(port),
      ...flags,
    ],
    log: `${folder}/log`,
  });
  const answers = (): true | null => {
    const { status } = spawnSync(`${programs()}/pg_isready`, ["-h", host, "-p", String(port)]);
    return status === 0 ? true : null;
  };
  await waitFor("postgres answers", answers, { program: server });
  return { stop: () => end(server, folder) };
}

/** At once, clients or not: SIGTERM would wait for them. */
async function end(server: Program, folder: string): Promise<void> {
  server.kill("SIGINT");
  await server.exited;
  rmSync(folder, { recursive: true, force: true });
}

export type SslMode = "disable" | "prefer" | "require";

/** `psql` with its flags for machines: one value a line, errors end it. */
export function psqlCommand(host: string, port: number, ...args: readonly string[]): string[] {
  const where = ["-h", host, "-p", String(port), "-U", "tester", "-d", "postgres"];
  return ["psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", ...where, ...args];
}

export function psqlEnvironment(mode: SslMode = "disable"): Record<string, string> {
  return plainEnvironment({ PGSSLMODE: mode, PGCONNECT_TIMEOUT: "10" });
}

/** Runs `psql` to its end; what it printed, without the last line end. */
export function psql(host: string, port: number, sql: string, mode: SslMode = "disable"): string {
  const env = psqlEnvironment(mode);
  return runProgram(psqlCommand(host, port, "-c", sql), { env, limitMs: 60_000 }).trimEnd();
}
