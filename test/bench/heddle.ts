/** heddle in the bench: two proxies of a real mesh on the proxies' core, its control plane on the other. */
import { existsSync, readFileSync, writeFileSync } from "node:fs";
import { binaryPath } from "../../compile/repository.ts";
import type { TlsCredential } from "../../runtime/contract.ts";
import type { Credential } from "../../src/identity/credential_store.ts";
import { ports } from "../../src/model/ports.ts";
import { serverNameOf, type ServiceName } from "../../src/model/service.ts";
import type { TrustBundle } from "../../src/model/snapshot.ts";
import { firstAccept } from "./first_accept.ts";
import { makeTestAuthority } from "../support/certificates.ts";
import { startMesh, type Machine, type Mesh, type ServicePlan } from "../support/mesh.ts";
import { hangMs } from "../support/patience.ts";
import { waitFor } from "../support/processes.ts";
import { closedLoop } from "./load.ts";
import type { Address, Subject } from "./peers/peer.ts";
import { familyOf, residentMb } from "./usage.ts";
import { workPlans, type BackendName, type Work } from "./works.ts";

export interface HeddleContext {
  readonly backends: Readonly<Record<BackendName, Address>>;
  readonly proxyCore: number;
  readonly loadCore: number;
  readonly wanted: readonly Work[];
  /** Default: what this repository compiled. */
  readonly binary?: string;
  /** As startMesh takes it. */
  readonly proxyEnv?: Readonly<Record<string, string>>;
  /** Of the mesh, as startMesh takes it: two at once need addresses of their own. */
  readonly addressFirst?: number;
}

export interface IdleResult {
  /** Proxy alone, policy host apart. */
  readonly rssMb: number;
  /** What of it is its own: the rest are pages of the binary, which all its processes share. */
  readonly privateMb: number;
  readonly afterMs: number;
  /** Start of the process to the first accepted connection, snapshot on disk. */
  readonly firstAcceptMs: readonly number[];
}

/** The port that other proxies use, and what one of them would show there. */
export interface MeshPort extends Address {
  readonly service: ServiceName;
  readonly serverName: string;
  readonly rootsPem: readonly string[];
  readonly credential: TlsCredential;
}

export interface StartedHeddle {
  readonly version: string;
  readonly subjects: ReadonlyMap<Work, ReadonlyMap<string, Subject>>;
  /** Pids of the proxy that takes calls of apps, and of the one that has the services. */
  readonly near: number;
  readonly far: number;
  /** State folder of an operator. */
  readonly operator: string;
  meshPort(): MeshPort;
  idle(afterMs: number): Promise<IdleResult>;
  stop(): Promise<void>;
}

/** A way of heddle to do a work: the service that is called, by name, at an explicit port, or through a gateway from outside. */
interface Way {
  readonly name: string;
  readonly work: Work;
  readonly service: string;
  readonly bind: number | "by-name" | "gateway";
}

const ways: readonly Way[] = [
  { name: "heddle", work: "hop", service: "near", bind: "by-name" },
  { name: "heddle", work: "pair", service: "web", bind: "by-name" },
  { name: "heddle, http/1.1", work: "pair", service: "plain", bind: "by-name" },
  { name: "heddle", work: "tcp", service: "raw", bind: 9001 },
  { name: "heddle", work: "hop2", service: "near2", bind: "by-name" },
  { name: "heddle", work: "pair2", service: "web2", bind: "by-name" },
  { name: "heddle", work: "grpc", service: "rpc", bind: "by-name" },
  { name: "heddle", work: "carried", service: "web", bind: "by-name" },
  { name: "heddle", work: "edge", service: "web", bind: "gateway" },
  { name: "heddle", work: "edge2", service: "web2", bind: "gateway" },
  { name: "heddle", work: "mixed", service: "web", bind: "by-name" },
  { name: "heddle", work: "bulk", service: "stream", bind: 9002 },
  { name: "heddle, own", work: "bulk", service: "owned", bind: 9003 },
  { name: "heddle", work: "short", service: "stream", bind: 9002 },
  { name: "heddle", work: "events", service: "events", bind: "by-name" },
];

/** Service to what it is declared as, beside its port, and what answers for it. */
const services: Readonly<Record<string, { readonly declared: string; readonly backend: BackendName }>> = {
  near: { declared: "protocol: http", backend: "page" },
  near2: { declared: "protocol: http2", backend: "page2" },
  web: { declared: "protocol: http", backend: "page" },
  plain: { declared: "protocol: http, transport: http/1.1", backend: "page" },
  web2: { declared: "protocol: http2", backend: "page2" },
  rpc: { declared: "protocol: grpc", backend: "grpc" },
  events: { declared: "protocol: http", backend: "stream" },
  raw: { declared: "protocol: tcp", backend: "page" },
  stream: { declared: "protocol: tcp", backend: "stream" },
  owned: { declared: "protocol: tcp, transport: own", backend: "stream" },
};
const acceptRuns = 5;
/** Where the gateway listens, on the first machine. */
const gatewayPort = 8443;
const gatewayDomain = "bench.test";

/** The reason when it cannot. */
export async function startHeddle(context: HeddleContext): Promise<StartedHeddle | string> {
  const { binary = binaryPath, addressFirst = 0, proxyEnv = {} } = context;
  if (!existsSync(binary)) return "npm run compile makes it";
  // What is measured without load needs a pair all the same.
  const wanted = new Set<Work>(context.wanted.length === 0 ? ["pair"] : context.wanted);
  const taken = ways.filter(({ work }) => wanted.has(work));
  // Every machine has a service, also where no work calls the second one.
  const called = [...new Set(["web", ...taken.map(({ service }) => service)])];
  const mesh = await startMesh({
    binary,
    addressFirst,
    proxyEnv,
    documents: documentsOf(called),
    cores: { proxies: context.proxyCore, others: context.loadCore },
    machines: machinesOf(context, taken, called),
  });
  const outside = taken.filter(({ bind }) => bind === "gateway").map(({ service }) => service);
  if (outside.length > 0) {
    mesh.apply(`${documentsOf(called)}\n---\n${await gatewayOf(mesh, outside)}`);
    await mesh.settled();
  }
  const subjects = new Map<Work, Map<string, Subject>>();
  for (const way of taken) {
    const named = subjects.get(way.work) ?? new Map<string, Subject>();
    subjects.set(way.work, named.set(way.name, subjectOf(mesh, way)));
  }
  const version = mesh.heddle("version").trim();
  const started: StartedHeddle = {
    version: version.replace(/^heddle /, ""),
    subjects,
    near: mesh.machine("vm-a").proxy.pid,
    far: mesh.machine("vm-b").proxy.pid,
    operator: `${mesh.folder}/control`,
    meshPort: () => meshPortOf(mesh, "web"),
    idle: (afterMs: number) => idleOf(mesh, afterMs),
    stop: () => mesh.stop(),
  };
  try {
    // A proxy that is to be measured unused is not used.
    if (context.wanted.length > 0) await untilReached(subjects, context.loadCore, mesh.folder);
  } catch (error) {
    await mesh.stop();
    throw error;
  }
  return started;
}

function documentsOf(called: readonly string[]): string {
  const declared = called.map((name, index) => {
    return `{kind: Service, name: ${name}, port: ${8_000 + index}, ${services[name]?.declared}}`;
  });
  return ["{kind: Service, name: caller, port: 80, protocol: http}", ...declared].join("\n---\n");
}

/** It lets these services be called from outside by HTTPS, each by a name of its own, with one certificate. */
async function gatewayOf(mesh: Mesh, outside: readonly string[]): Promise<string> {
  const authority = await makeTestAuthority();
  const { chainPem, keyPem } = await authority.issue({ dns: [`*.${gatewayDomain}`], usages: ["server"] });
  const [certificate, key] = [`${mesh.folder}/gateway.crt`, `${mesh.folder}/gateway.key`];
  writeFileSync(certificate, chainPem);
  writeFileSync(key, keyPem);
  const at = `address: ${mesh.machine("vm-a").address}, port: ${gatewayPort}, protocol: https`;
  const listener = `{name: secure, ${at}, certificates: [{certificate: ${certificate}, key: ${key}}]}`;
  const routes = outside.map((service) => {
    const hostnames = `[${service}.${gatewayDomain}]`;
    return `{kind: HTTPRoute, name: ${service}, gateway: edge, hostnames: ${hostnames}, rules: [{backends: [{service: ${service}}]}]}`;
  });
  return [`{kind: Gateway, name: edge, listeners: [${listener}]}`, ...routes].join("\n---\n");
}

function machinesOf({ backends }: HeddleContext, taken: readonly Way[], called: readonly string[]) {
  const plan = (name: string): ServicePlan => {
    const backend = backends[services[name]?.backend ?? "page"];
    return { service: name, app: "http", ...backend };
  };
  const isNear = (name: string): boolean => name.startsWith("near");
  const calls = Object.fromEntries(
    taken.flatMap(({ service, bind }) => (bind === "gateway" ? [] : [[service, bind] as const])),
  );
  const gateways = taken.some(({ bind }) => bind === "gateway") ? ["edge"] : [];
  const caller: ServicePlan = { service: "caller", app: "none", calls };
  return [
    { name: "vm-a", gateways, services: [caller, ...called.filter(isNear).map(plan)] },
    { name: "vm-b", services: called.filter((name) => !isNear(name)).map(plan) },
  ];
}

function subjectOf(mesh: Mesh, { service, bind }: Way): Subject {
  const [first, second] = [mesh.machine("vm-a"), mesh.machine("vm-b")];
  const machines: Machine[] = service.startsWith("near") ? [first] : [first, second];
  const pids = (): number[] => machines.flatMap(({ proxy }) => familyOf(proxy.pid));
  const { address: host } = first;
  if (bind === "gateway") {
    return { host, port: gatewayPort, authority: `${service}.${gatewayDomain}`, https: true, pids };
  }
  const port = bind === "by-name" ? first.httpPort("caller") : bind;
  return { host, port, authority: `${service}.mesh`, pids };
}

async function untilReached(
  subjects: StartedHeddle["subjects"],
  core: number,
  folder: string,
): Promise<void> {
  for (const [work, named] of subjects) {
    const { load } = workPlans[work];
    for (const [name, subject] of named) {
      let last = "";
      const once = async (): Promise<true | null> => {
        try {
          await closedLoop(load, subject, {
            count: load.startsWith("h") || load === "grpc" ? 32 : 64,
            core,
            folder,
          });
          return true;
        } catch (error) {
          last = (error as Error).message;
          return null;
        }
      };
      try {
        await waitFor(`${name} does ${work}`, once, { everyMs: 100, limitMs: hangMs });
      } catch (error) {
        throw new Error(`${(error as Error).message}: ${last}`);
      }
    }
  }
}

/** With the certificate of the calling service, as its proxy keeps it. */
function meshPortOf(mesh: Mesh, service: string): MeshPort {
  const [first, second] = [mesh.machine("vm-a"), mesh.machine("vm-b")];
  const read = (name: string): unknown =>
    JSON.parse(readFileSync(`${first.state}/credentials/${name}.json`, "utf8"));
  const { tls } = read("service.caller.default") as Credential;
  const { rootsPem } = read("bundle") as TrustBundle;
  const named = { name: service, namespace: "default" };
  const serverName = serverNameOf(named);
  return {
    host: second.address,
    port: ports.inbound,
    service: named,
    serverName,
    rootsPem,
    credential: tls,
  };
}

/** The second proxy is left alone until it is measured; then the first one is started again and again. */
async function idleOf(mesh: Mesh, afterMs: number): Promise<IdleResult> {
  const [first, second] = [mesh.machine("vm-a"), mesh.machine("vm-b")];
  await Bun.sleep(Math.max(0, second.proxy.startedMs + afterMs - performance.now()));
  const rssMb = residentMb(second.proxy.pid);
  const privateMb = residentMb(second.proxy.pid, "RssAnon");
  const firstAcceptMs: number[] = [];
  for (let run = 0; run < acceptRuns; run++) {
    await first.proxy.kill();
    firstAcceptMs.push(await firstAccept(first.proxy, first.address, first.httpPort("caller")));
  }
  return { rssMb, privateMb, afterMs, firstAcceptMs };
}
