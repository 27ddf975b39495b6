/**
 * Autobahn|Testsuite, the conformance suite of WebSockets, against a server on `ws`: alone and through the compiled binary the
 * verdict of each case is the same. Left out are cases 9.3 and 9.4, which send a message in more fragments than `ws` takes, 9.5 to
 * 9.8, which measure time, and most of those for compression (12, 13), which take a quarter of an hour.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { homedir, tmpdir } from "node:os";
import { join } from "node:path";
import { binaryMissing } from "../../compile/repository.ts";
import { addressOf } from "../support/addresses.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { startNode } from "../support/node_program.ts";
import { plainEnvironment, type Program } from "../support/processes.ts";
import { testMs } from "../support/patience.ts";

// test/support/install_autobahn.sh installs it where Python 2.7 is.
const program = join(homedir(), ".cache/heddle-peers/autobahn/wstest");
const groups = ["1.*", "2.*", "3.*", "4.*", "5.*", "6.*", "7.*", "9.1.*", "9.2.*", "10.*"];
const compressed = ["12.1.1", "12.3.1", "13.1.1", "13.3.1", "13.7.1"];
const cases = [...groups, ...compressed];
const casesMin = 250;
const good = ["OK", "NON-STRICT", "INFORMATIONAL"];
const limitMs = 120_000;

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: sockets, port: 80, protocol: http}
`;

interface Verdict {
  readonly behavior: string;
  readonly behaviorClose: string;
}
type Verdicts = Readonly<Record<string, Verdict>>;

/** Runs the fuzzing client against a server; its verdict of each case. */
async function verdicts(folder: string, agent: string, url: string): Promise<Verdicts> {
  const outdir = `${folder}/${agent}`;
  const spec = { outdir, servers: [{ agent, url }], cases, "exclude-cases": [], "exclude-agent-cases": {} };
  writeFileSync(`${outdir}.json`, JSON.stringify(spec));
  const child = Bun.spawn([program, "--mode", "fuzzingclient", "--spec", `${outdir}.json`], {
    cwd: folder,
    env: plainEnvironment(),
    stdout: "ignore",
    stderr: "pipe",
    timeout: limitMs,
  });
  const [complained] = await Promise.all([child.stderr.text(), child.exited]);
  if (!existsSync(`${outdir}/index.json`)) throw new Error(`Autobahn wrote no report: ${complained}`);
  const report = JSON.parse(readFileSync(`${outdir}/index.json`, "utf8")) as Record<string, Verdicts>;
  const found = Object.entries(report[agent] ?? {});
  const told = found.map(
    ([name, { behavior, behaviorClose }]) => [name, { behavior, behaviorClose }] as const,
  );
  return Object.fromEntries(told);
}

// Absent: test/support/install_autobahn.sh installs it, where Python 2.7 is to be had.
describe.skipIf(binaryMissing || !existsSync(program))("Autobahn (needs Python 2.7)", () => {
  const host = addressOf(80);
  let folder: string;
  let server: Program;
  let mesh: Mesh;

  beforeAll(async () => {
    folder = mkdtempSync(`${tmpdir()}/heddle-autobahn-`);
    server = await startNode("peers/server.ts", host, 8080);
    mesh = await startMesh({
      documents,
      machines: [
        { name: "vm-a", services: [{ service: "caller", app: "none", calls: { sockets: 9001 } }] },
        { name: "vm-b", services: [{ service: "sockets", host, port: 8080 }] },
      ],
    });
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
    await server?.stop();
    if (folder !== undefined) rmSync(folder, { recursive: true, force: true });
  });

  test("finds the same through the mesh as without it, case by case, and nothing wrong", async () => {
    const [direct, through] = await Promise.all([
      verdicts(folder, "direct", `ws://${host}:8080`),
      verdicts(folder, "mesh", `ws://${mesh.machine("vm-a").address}:9001`),
    ]);
    expect(Object.keys(direct).length).toBeGreaterThan(casesMin);
    expect(through).toEqual(direct);
    const wrong = Object.entries(through).filter(([, { behavior }]) => !good.includes(behavior));
    expect(wrong).toEqual([]);
  }, 180_000);
});
