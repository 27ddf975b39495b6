/** The bench's peers answer every work that they are measured with, so that it does not rot unseen. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { backendAddresses, startBackends } from "../bench/backends.ts";
import { writeCertificates } from "../bench/certificates.ts";
import { envoy } from "../bench/peers/envoy.ts";
import { haproxy } from "../bench/peers/haproxy.ts";
import { nginx } from "../bench/peers/nginx.ts";
import { closedLoop } from "../bench/load.ts";
import { startPeer, type PeerCertificates } from "../bench/peers/peer.ts";
import { workPlans, works } from "../bench/works.ts";
import { addressOf } from "../support/addresses.ts";
import { hasProgram, type Program } from "../support/processes.ts";

const backends = backendAddresses(addressOf(200));
const tools = ["nginx", "nghttpd", "h2load", "taskset"];
const folder = mkdtempSync(`${tmpdir()}/heddle-peers-`);
chmodSync(folder, 0o755);
const programs: Program[] = [];

// Absent: test/bench/install_peers.sh installs them.
describe.skipIf(!tools.every(hasProgram))("a peer of the bench", () => {
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
      30_000,
    );
  }
});
