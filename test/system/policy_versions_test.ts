/** A version of a policy that fails is put aside, and the one before it decides meanwhile: callers see a handful of failures and no more. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { mkdirSync, writeFileSync } from "node:fs";
import { binaryMissing } from "../../compile/repository.ts";
import { limits } from "../../src/model/limits.ts";
import { callByName, callUntil } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { testMs } from "../support/patience.ts";

const stamp = (
  version: string,
  decides: string,
): string => `import { definePolicy, next } from "heddle/policy";
import * as v from "valibot";
export default definePolicy({
  api: 1, name: "stamp", version: "${version}", options: v.strictObject({}), onError: "closed",
  onRequest() { ${decides} return next({ headers: { set: { "x-stamp": "${version}" } } }); },
});
`;
const documents = `{kind: Service, name: frontend, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http, policies: [{use: stamp, with: {}}]}
`;

describe.skipIf(binaryMissing)("a new version that fails", () => {
  let mesh: Mesh;
  beforeAll(async () => {
    mesh = await startMesh({
      documents,
      policies: { "stamp.ts": stamp("1.0.0", "") },
      machines: [
        {
          name: "vm-a",
          services: [{ service: "frontend", app: "none", calls: { web: "by-name" } }, { service: "web" }],
        },
      ],
    });
  }, testMs);
  afterAll(async () => await mesh?.stop());

  test("fails so many calls, and the one before it answers the others", async () => {
    const call = () => callByName(mesh.machine("vm-a"), "frontend", "web");
    expect((await call()).seen().headers["x-stamp"]).toBe("1.0.0");
    const folder = `${mesh.folder}/again`;
    mkdirSync(`${folder}/policies`, { recursive: true });
    writeFileSync(`${folder}/mesh.yaml`, documents);
    writeFileSync(`${folder}/policies/stamp.ts`, stamp("2.0.0", 'if (1 < 2) throw new Error("in a mood");'));
    mesh.heddle("apply", "-f", folder);
    await callUntil("the new version fails", call, ({ status }) => status === 503);
    let failed = 1;
    for (let at = 0; at < 30; at++) {
      const answer = await call();
      if (answer.status === 503) failed++;
      else expect(answer.seen().headers["x-stamp"]).toBe("1.0.0");
    }
    // The trials among them are few: each is a wait apart.
    expect(failed).toBeLessThanOrEqual(limits.policyTripsMax + 3);
  });
});
