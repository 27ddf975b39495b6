/** Clusters of etcd of a test's own, on loopback, in a folder that goes with them; in clear text, or over mTLS. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { makeTestAuthority } from "./certificates.ts";
import { createServer, type AddressInfo } from "node:net";
import { hasProgram, startProgram, waitFor, type Program } from "./processes.ts";

export const hasEtcd: boolean = hasProgram("etcd");

export interface EtcdOptions {
  /** Members, 1 when absent. */
  readonly members?: number;
  readonly tls?: boolean;
  /** Further flags of each member. */
  readonly flags?: readonly string[];
}

export interface EtcdMember {
  readonly port: number;
  readonly program: Program;
  readonly running: boolean;
  kill(): Promise<void>;
  /** With what it had on disk. */
  start(): void;
}

export interface Etcd {
  readonly folder: string;
  readonly members: readonly EtcdMember[];
  /** `etcd://…` of all members, with this prefix. */
  url(prefix: string): string;
  /** One call of its JSON gateway, at a member that runs. */
  call(path: string, body: unknown): Promise<unknown>;
  stop(): Promise<void>;
}

export async function startEtcd({ members = 1, tls = false, flags = [] }: EtcdOptions = {}): Promise<Etcd> {
  const folder = mkdtempSync(`${tmpdir()}/heddle-etcd-`);
  const scheme = tls ? "https" : "http";
  if (tls) await writeCertificates(folder);
  const free = await freePorts(2 * members);
  const ports = Array.from({ length: members }, (_, at) => ({
    client: free[2 * at] as number,
    peer: free[2 * at + 1] as number,
  }));
  const cluster = ports.map(({ peer }, at) => `m${at}=http://127.0.0.1:${peer}`).join();
  const secure = [`--cert-file=${folder}/server.pem`, `--key-file=${folder}/server.key`];
  const mutual = ["--client-cert-auth", `--trusted-ca-file=${folder}/ca.pem`];
  const commandOf = ({ client, peer }: { client: number; peer: number }, at: number): string[] => [
    ...["etcd", `--name=m${at}`, `--data-dir=${folder}/m${at}`, "--log-level=error", "--logger=zap"],
    ...[`--listen-client-urls=${scheme}://127.0.0.1:${client}`],
    ...[`--advertise-client-urls=${scheme}://127.0.0.1:${client}`],
    ...[
      `--listen-peer-urls=http://127.0.0.1:${peer}`,
      `--initial-advertise-peer-urls=http://127.0.0.1:${peer}`,
    ],
    ...[`--initial-cluster=${cluster}`, `--initial-cluster-token=${folder}`],
    ...(tls ? [...secure, ...mutual] : []),
    ...flags,
  ];
  const started = ports.map((port, at) => memberOf(commandOf(port, at), port.client, `${folder}/m${at}.log`));
  await elected(ports[0]?.client as number, tls ? folder : null);
  const files = tls ? `?ca=${folder}/ca.pem&cert=${folder}/client.pem&key=${folder}/client.key` : "";
  return {
    folder,
    members: started,
    url: (prefix) => `etcd://${ports.map(({ client }) => `127.0.0.1:${client}`).join()}/${prefix}${files}`,
    call: async (path, body) => {
      const at = started.findIndex((member) => member.running);
      const answer = await fetch(`http://127.0.0.1:${ports[at]?.client}${path}`, {
        method: "POST",
        body: JSON.stringify(body),
      });
      return answer.json();
    },
    stop: async () => {
      for (const member of started) await member.kill();
      rmSync(folder, { recursive: true });
    },
  };
}

function memberOf(command: readonly string[], port: number, log: string) {
  const run = (): Program => startProgram({ name: `etcd at ${port}`, command, log });
  let program = run();
  let running = true;
  return {
    port,
    get program() {
      return program;
    },
    get running() {
      return running;
    },
    kill: async () => {
      if (!running) return;
      // A stopped one would never end.
      program.kill("SIGCONT");
      running = false;
      program.kill("SIGKILL");
      await program.exited;
    },
    start: () => {
      program = run();
      running = true;
    },
  };
}

/** Until a leader answers. */
async function elected(port: number, tlsFolder: string | null): Promise<void> {
  const read = (name: string): string => readFileSync(`${tlsFolder}/${name}`, "utf8");
  const tls =
    tlsFolder === null
      ? {}
      : { tls: { ca: read("ca.pem"), cert: read("client.pem"), key: read("client.key") } };
  const url = `${tlsFolder === null ? "http" : "https"}://127.0.0.1:${port}/v3/kv/range`;
  await waitFor("etcd has a leader", async () => {
    const signal = AbortSignal.timeout(5_000);
    const answer = await fetch(url, { method: "POST", body: '{"key":"AA=="}', signal, ...tls }).catch(
      () => null,
    );
    return answer?.ok === true ? true : null;
  });
}

async function writeCertificates(folder: string): Promise<void> {
  const authority = await makeTestAuthority();
  // Its gateway shows the server's own certificate to itself, as a client.
  const server = await authority.issue({ ip: ["127.0.0.1"], dns: ["localhost"] });
  const client = await authority.issue({ dns: ["registry.test"] });
  writeFileSync(`${folder}/ca.pem`, authority.rootPem);
  for (const [name, { chainPem, keyPem }] of [
    ["server", server],
    ["client", client],
  ] as const) {
    writeFileSync(`${folder}/${name}.pem`, chainPem);
    writeFileSync(`${folder}/${name}.key`, keyPem, { mode: 0o600 });
  }
}

/** Open all at once, so that they differ. */
async function freePorts(count: number): Promise<number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => new Promise((resolve) => server.once("listening", resolve))));
  const ports = servers.map((server) => (server.address() as AddressInfo).port);
  await Promise.all(servers.map((server) => new Promise((resolve) => server.close(resolve))));
  return ports;
}
