/** heddle in the bench: two proxies of a real mesh on the proxies' core, its control plane on the other. */
import { existsSync } from "node:fs";
import { binaryPath } from "../../compile/repository.ts";
import { firstAccept } from "../support/first_accept.ts";
import { callByName, callUntil } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { page } from "./backend.ts";
import type { Address, Subject, Work } from "./peers/peer.ts";
import type { IdleResult } from "./results.ts";
import { familyOf, residentMb } from "./usage.ts";

export interface HeddleContext {
  readonly backend: Address;
  readonly proxyCore: number;
  readonly loadCore: number;
}

export interface StartedHeddle {
  readonly version: string;
  readonly subjects: ReadonlyMap<Work, Subject>;
  idle(afterMs: number): Promise<IdleResult>;
  stop(): Promise<void>;
}

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: near, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
---
{kind: Service, name: raw, port: 81, protocol: tcp}
`;
const rawPort = 9001;
const acceptRuns = 5;

/** The reason when it cannot. */
export async function startHeddle(context: HeddleContext): Promise<StartedHeddle | string> {
  if (!existsSync(binaryPath)) return "npm run compile makes it";
  const mesh = await startMesh({
    documents,
    cores: { proxies: context.proxyCore, others: context.loadCore },
    machines: [
      {
        name: "vm-a",
        services: [
          { service: "caller", app: "none", calls: { near: "by-name", web: "by-name", raw: rawPort } },
          { service: "near", ...context.backend },
        ],
      },
      {
        name: "vm-b",
        services: [
          { service: "web", ...context.backend },
          { service: "raw", app: "tcp", ...context.backend },
        ],
      },
    ],
  });
  await untilReached(mesh);
  return {
    version: mesh
      .heddle("version")
      .trim()
      .replace(/^heddle /, ""),
    subjects: subjectsOf(mesh),
    idle: (afterMs) => idleOf(mesh, afterMs),
    stop: () => mesh.stop(),
  };
}

async function untilReached(mesh: Mesh): Promise<void> {
  for (const name of ["near", "web"]) {
    const call = () => callByName(mesh.machine("vm-a"), "caller", name, { path: page });
    await callUntil(`${name} answers`, call, ({ status }) => status === 200);
  }
}

function subjectsOf(mesh: Mesh): Map<Work, Subject> {
  const [first, second] = [mesh.machine("vm-a"), mesh.machine("vm-b")];
  const port = first.httpPort("caller");
  const hop = () => familyOf(first.proxy.pid);
  const pair = () => [...hop(), ...familyOf(second.proxy.pid)];
  const host = first.address;
  return new Map<Work, Subject>([
    ["hop", { host, port, authority: "near.mesh", pids: hop }],
    ["pair", { host, port, authority: "web.mesh", pids: pair }],
    ["tcp", { host, port: rawPort, authority: "bench", pids: pair }],
  ]);
}

/** The second proxy is left alone until it is measured; then the first one is started again and again. */
async function idleOf(mesh: Mesh, afterMs: number): Promise<IdleResult> {
  const [first, second] = [mesh.machine("vm-a"), mesh.machine("vm-b")];
  await Bun.sleep(Math.max(0, second.proxy.startedMs + afterMs - performance.now()));
  const rssMb = residentMb(second.proxy.pid);
  const firstAcceptMs: number[] = [];
  for (let run = 0; run < acceptRuns; run++) {
    await first.proxy.kill();
    firstAcceptMs.push(await firstAccept(first.proxy, first.address, first.httpPort("caller")));
  }
  await untilReached(mesh);
  return { rssMb, afterMs, firstAcceptMs };
}
