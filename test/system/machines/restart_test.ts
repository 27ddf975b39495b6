/**
 * `systemctl restart` of a machine's modes while clients connect all the time: nobody is refused, and nobody waits longer than a start
 * takes. What ends for good leaves nothing that listens.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, copyFileSync, writeFileSync } from "node:fs";
import { binaryMissing, binaryPath } from "../../../compile/repository.ts";
import { Machines, machinesMissing, type Machine } from "../../support/machines.ts";
import { testMs } from "../../support/patience.ts";
import { waitFor } from "../../support/processes.ts";

const why = binaryMissing ? "there is no dist/heddle" : machinesMissing;

const documents = `
{kind: Service, name: web, port: 80, protocol: http}
---
{kind: Service, name: orders, port: 80, protocol: http}
`;

/** Connects again and again until it is told to end; asks for a page where that is a page's port. Says what came of it as JSON. */
const clients = `
import json, os, socket, sys, time
asks = sys.argv[2] == "ask"
said = {"good": 0, "refused": 0, "failed": [], "worst": 0}
while not os.path.exists("/root/enough"):
    began = time.time()
    try:
        host, port = sys.argv[1].rsplit(":", 1)
        with socket.create_connection((host, int(port)), 20) as client:
            answer = b"HTTP/1.1 200"
            if asks:
                client.sendall(b"GET /hello HTTP/1.1\\r\\nhost: orders.mesh\\r\\nconnection: close\\r\\n\\r\\n")
                answer = b"".join(iter(lambda: client.recv(4096), b""))
            if answer.startswith(b"HTTP/1.1 200"): said["good"] += 1
            else: said["failed"].append(answer.decode())
    except ConnectionRefusedError: said["refused"] += 1
    except OSError as error: said["failed"].append(str(error))
    said["worst"] = max(said["worst"], time.time() - began)
    time.sleep(0.002)
print(json.dumps(said))
`;

interface Said {
  readonly good: number;
  readonly refused: number;
  readonly failed: readonly string[];
  /** Seconds. */
  readonly worst: number;
}

describe.skipIf(why !== null)(`a machine with systemd${why === null ? "" : ` (skipped: ${why})`}`, () => {
  let machines: Machines;
  let machine: Machine;

  beforeAll(async () => {
    machines = await Machines.start(["vm-1", "vm-2"]);
    machine = machines.get("vm-1");
    const callee = machines.get("vm-2");
    for (const { root } of [machine, callee]) {
      copyFileSync(binaryPath, `${root}/root/heddle`);
      chmodSync(`${root}/root/heddle`, 0o755);
      writeFileSync(`${root}/srv/hello`, "hello\n");
    }
    writeFileSync(`${machine.root}/root/clients.py`, clients);
    writeFileSync(`${machine.root}/root/mesh.yaml`, documents);
    callee.must("systemd-run --unit=app python3 -m http.server 8080 --bind 127.0.0.1 --directory /srv");
    machine.must(
      `./heddle init --trust-domain corp.example --address ${machine.address} --service web --port 8081 --upstream orders=9001`,
    );
    machine.must("heddle apply -f mesh.yaml");
    const said = machine.must("heddle token create --service orders");
    callee.must(`./${/heddle join \S+ hd1\.\S+/.exec(said)?.[0]} --service orders --port 8080`);
    await waitFor("the app is reached", () => (machine.run(asked).code === 0 ? true : null), {
      everyMs: 100,
    });
  }, testMs);
  afterAll(async () => await machines?.stop(), testMs);

  const asked = "curl -fsS -m 5 http://127.0.0.1:9001/hello";

  /** What clients of that port say, while `during` is done again and again. */
  function clientsOf(port: string, asks: "ask" | "connect", during: string): Said {
    const begin = `rm -f enough; python3 clients.py ${port} ${asks} > said & sleep 0.5`;
    const line = `${begin}; for each in 1 2 3 4 5; do ${during} || exit 1; sleep 0.5; done; touch enough; wait; cat said`;
    const { code, out, err } = machine.run(line, { limitMs: testMs });
    expect([code, err]).toEqual([0, ""]);
    return JSON.parse(out) as Said;
  }

  for (const [mode, port, asks] of [
    ["proxy", "127.0.0.1:9001", "ask"],
    ["proxy", ":7445", "connect"],
    ["controller", ":7443", "connect"],
    ["registry", ":7444", "connect"],
  ] as const)
    test(
      `refuses nobody at ${port} while its ${mode} is started again`,
      () => {
        const at = port.startsWith(":") ? `${machine.address}${port}` : port;
        const { good, refused, failed, worst } = clientsOf(at, asks, `systemctl restart heddle-${mode}`);
        console.log(`${mode} ${port}: ${good} good, longest ${Math.round(worst * 1_000)} ms`);
        expect({ refused, failed }).toEqual({ refused: 0, failed: [] });
        expect(good).toBeGreaterThan(0);
      },
      testMs,
    );

  test("has nothing that listens once its proxy is stopped, and all of it when that is started", async () => {
    machine.must("systemctl stop heddle-proxy");
    expect(machine.must("ss -ltnH | grep -c -e :9001 -e :7445 || true").trim()).toBe("0");
    machine.must("systemctl start heddle-proxy");
    await waitFor("the app is reached", () => (machine.run(asked).code === 0 ? true : null), {
      everyMs: 100,
    });
    expect(machine.must("systemctl show --value --property=NFileDescriptorStore heddle-proxy").trim()).toBe(
      "0",
    );
  });
});
