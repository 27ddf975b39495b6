/** What the bench measures heddle beside answers every work that it is measured with, so that it does not rot unseen. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { binaryMissing, binaryPath } from "../../compile/repository.ts";
import { backendAddresses, startBackends } from "../bench/backends.ts";
import { writeCertificates } from "../bench/certificates.ts";
import { startHeddle } from "../bench/heddle.ts";
import { envoy } from "../bench/peers/envoy.ts";
import { haproxy } from "../bench/peers/haproxy.ts";
import { nginx } from "../bench/peers/nginx.ts";
import { closedLoop } from "../bench/load.ts";
import { startPeer, type PeerCertificates } from "../bench/peers/peer.ts";
import { workPlans, works } from "../bench/works.ts";
import { addressOf } from "../support/addresses.ts";
import { testMs } from "../support/patience.ts";
import { hasProgram, type Program } from "../support/processes.ts";

const backends = backendAddresses(addressOf(200));
const tools = ["nginx", "nghttpd", "h2load", "taskset"];
const folder = mkdtempSync(`${tmpdir()}/heddle-peers-`);
chmodSync(folder, 0o755);
const programs: Program[] = [];

// Absent: test/bench/install_peers.sh installs them.
describe.skipIf(!tools.every(hasProgram))("beside heddle in the bench", () => {
  let certificates: PeerCertificates;

  beforeAll(async () => {
    programs.push(...(await startBackends(folder, backends, ["page", "page2", "grpc", "stream"], 0)));
    certificates = await writeCertificates(folder);
  });
  afterAll(async () => {
    await Promise.all(programs.map((program) => program.stop()));
    rmSync(folder, { recursive: true, force: true });
  });

  for (const [index, peer] of [nginx, haproxy, envoy].entries()) {
    // null: the peer is absent, as above.
    test.skipIf(peer.version() === null)(
      `${peer.name} carries ${peer.works.join(", ")}, and its processor time is seen`,
      async () => {
        const context = { folder, address: addressOf(201 + index), backends, proxyCore: 0, certificates };
        const started = await startPeer(peer, context, works);
        programs.push(...started.programs);
        expect([...started.subjects.keys()]).toEqual([...peer.works]);
        for (const [work, subject] of started.subjects) {
          const { cost } = await closedLoop(workPlans[work].load, subject, { count: 64, core: 0, folder });
          expect(cost).toBeGreaterThan(0);
        }
      },
      testMs,
    );
  }

  test.skipIf(binaryMissing)(
    "a mesh of another build of heddle carries what it is compared by, and its processor time is its own",
    async () => {
      const wanted = ["hop", "pair", "hop2", "pair2", "grpc", "carried", "edge", "edge2"] as const;
      const start = async (addressFirst: number) => {
        const context = { backends, proxyCore: 0, loadCore: 0, wanted, binary: binaryPath, addressFirst };
        const heddle = await startHeddle(context);
        if (typeof heddle === "string") throw new Error(heddle);
        return heddle;
      };
      const meshes = [await start(0)];
      try {
        meshes.push(await start(20));
        const [today, other] = meshes.map(({ subjects }) => subjects);
        for (const work of wanted) {
          for (const [way, subject] of other?.get(work) ?? []) {
            const beside = today?.get(work)?.get(way);
            expect(beside?.pids()).not.toEqual(subject.pids());
            const { cost } = await closedLoop(workPlans[work].load, subject, { count: 64, core: 0, folder });
            expect(cost).toBeGreaterThan(0);
          }
        }
        expect([...(other?.keys() ?? [])].sort()).toEqual([...wanted].sort());
      } finally {
        await Promise.all(meshes.map((heddle) => heddle.stop()));
      }
    },
    testMs,
  );
});
