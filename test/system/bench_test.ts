/** The bench's peers answer every work that they are measured with, so that it does not rot unseen. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { chmodSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { page, startBackend } from "../bench/backend.ts";
import { writeCertificates } from "../bench/certificates.ts";
import { envoy } from "../bench/peers/envoy.ts";
import { haproxy } from "../bench/peers/haproxy.ts";
import { nginx } from "../bench/peers/nginx.ts";
import { startPeer, works, type PeerCertificates } from "../bench/peers/peer.ts";
import { cpuNanos } from "../bench/usage.ts";
import { addressOf } from "../support/addresses.ts";
import { callUrl } from "../support/http_calls.ts";
import type { Program } from "../support/processes.ts";

const backend = { host: addressOf(200), port: 8000 };
const folder = mkdtempSync(`${tmpdir()}/heddle-peers-`);
chmodSync(folder, 0o755);
const programs: Program[] = [];

describe.skipIf(nginx.version() === null)("a peer of the bench", () => {
  let certificates: PeerCertificates;

  beforeAll(async () => {
    programs.push(await startBackend(folder, backend, 0));
    certificates = await writeCertificates(folder);
  });
  afterAll(async () => {
    await Promise.all(programs.map((program) => program.stop()));
    rmSync(folder, { recursive: true, force: true });
  });

  for (const [index, peer] of [nginx, haproxy, envoy].entries()) {
    // Absent: test/bench/install_peers.sh installs it.
    test.skipIf(peer.version() === null)(
      `${peer.name} carries ${peer.works.join(", ")}, and its processor time is seen`,
      async () => {
        const context = { folder, address: addressOf(201 + index), backend, proxyCore: 0, certificates };
        const started = await startPeer(peer, context, works);
        programs.push(...started.programs);
        expect([...started.subjects.keys()]).toEqual([...peer.works]);
        for (const { host, port, pids } of started.subjects.values()) {
          const before = cpuNanos(pids());
          const answer = await callUrl(`http://${host}:${port}${page}`);
          expect([answer.status, answer.text.length]).toEqual([200, 1_024]);
          expect(cpuNanos(pids())).toBeGreaterThan(before);
        }
      },
      30_000,
    );
  }
});
