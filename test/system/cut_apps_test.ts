/**
 * Apps that reset, end or go silent inside of requests and answers, on the compiled binary and real sockets: a sample of what
 * test/unit/proxy/every_offset_test.ts holds at every byte. Nothing hangs, nothing is sent twice that must not happen twice.
 */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { connect } from "node:http2";
import { binaryMissing } from "../../compile/repository.ts";
import { addressOf } from "../support/addresses.ts";
import { CutApp, type Cut, type CutPlan, type Stop } from "../support/cut_app.ts";
import { said, speeches, type Speech } from "../support/cut_scene.ts";
import { callByName, type Answer } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { hangMs, testMs } from "../support/patience.ts";
import { runtime } from "../support/planes.ts";

// Each call begins with connections that the apps have just reset: to meet one of those is an attempt, too.
const traffic = `retries: {attempts: 3}
timeouts: {request: 20s, perTry: 400ms}
circuitBreaking: {ejectedPercent: 0}
retryBudget: {min: 10000}`;
const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: one, port: 80, protocol: http}
---
{kind: Service, name: two, port: 80, protocol: http2}
---
kind: Traffic
name: one
service: one
${traffic}
---
kind: Traffic
name: two
service: two
${traffic}
---
{kind: Service, name: unsafe, port: 80, protocol: grpc}
---
kind: Traffic
name: unsafe
service: unsafe
${traffic}
---
{kind: Service, name: safe, port: 80, protocol: grpc}
---
kind: Traffic
name: safe
service: safe
${traffic.replace("{attempts: 3}", "{attempts: 3, idempotent: true}")}
`;

/** Where an answer of this length is cut, from nothing of it to nearly all. */
const parts = (length: number): number[] => [0, 1, Math.floor(length / 2), length - said.length, length - 1];

describe.skipIf(binaryMissing)("an app that stops inside of what it does", () => {
  const host = addressOf(97);
  const plan: CutPlan = { cut: null };
  const kinds = { one: speeches["HTTP/1.1"] as Speech, two: speeches["HTTP/2"] as Speech };
  const grpc = speeches["gRPC"] as Speech;
  let apps: CutApp[] = [];
  let mesh: Mesh;

  beforeAll(async () => {
    const app = ({ app: options }: Speech, port: number): CutApp =>
      new CutApp(runtime.net, plan, options, { host, port });
    apps = [kinds.one, kinds.one, kinds.two, kinds.two, grpc, grpc, grpc, grpc].map((speech, at) =>
      app(speech, 8_080 + at),
    );
    const calls = { one: "by-name", two: "by-name", unsafe: "by-name", safe: "by-name" } as const;
    mesh = await startMesh({
      documents,
      machines: [
        {
          name: "vm-a",
          services: [{ service: "caller", app: "none", calls }],
        },
        {
          name: "vm-b",
          services: [
            { service: "one", host, port: 8_080 },
            { service: "two", host, port: 8_082 },
            { service: "unsafe", host, port: 8_084 },
            { service: "safe", host, port: 8_086 },
          ],
        },
        {
          name: "vm-c",
          services: [
            { service: "one", host, port: 8_081 },
            { service: "two", host, port: 8_083 },
            { service: "unsafe", host, port: 8_085 },
            { service: "safe", host, port: 8_087 },
          ],
        },
      ],
    });
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
    for (const app of apps) app.close();
  }, testMs);

  const call = async (
    to: string,
    method: string,
    cut: Cut,
  ): Promise<{ answer: Answer | null; begun: number }> => {
    for (const app of apps) app.forget();
    plan.cut = cut;
    const body = method === "POST" ? { body: said } : {};
    let answer: Answer | null = null;
    try {
      answer = await callByName(mesh.machine("vm-a"), "caller", to, { method, ...body });
    } catch (error) {
      // What breaks off is an error here; what hangs is another one.
      if ((error as Error).name === "TimeoutError") throw error;
    }
    return { answer, begun: apps.reduce((sum, app) => sum + app.begun, 0) };
  };

  /** A call of gRPC that meets this fault, from a connection of its own. `code`: -1 where none came. */
  const callGrpc = async (
    to: string,
    cut: Cut,
  ): Promise<{ readonly code: number; readonly text: string; readonly begun: number }> => {
    for (const app of apps) app.forget();
    plan.cut = cut;
    const machine = mesh.machine("vm-a");
    const session = connect(`http://${machine.address}:${machine.httpPort("caller")}`);
    session.on("error", () => {});
    const ended = await new Promise<{ readonly code: number; readonly text: string }>((resolve, reject) => {
      const stream = session.request({
        ":method": "POST",
        ":path": "/test.Test/Call",
        ":authority": `${to}.mesh`,
        "content-type": "application/grpc",
        te: "trailers",
      });
      const late = setTimeout(() => reject(new Error(`${to} hangs`)), hangMs);
      let [code, text] = [-1, ""];
      const note = (fields: { readonly "grpc-status"?: string | string[] | undefined }): void => {
        if (fields["grpc-status"] !== undefined) code = Number(fields["grpc-status"]);
      };
      stream.setEncoding("latin1");
      stream.on("response", note).on("trailers", note);
      stream.on("data", (chunk: string) => void (text += chunk));
      // What breaks off has no status.
      stream.on("error", () => {});
      stream.on("close", () => {
        clearTimeout(late);
        resolve({ code, text });
      });
      stream.end(said);
    });
    session.destroy();
    return { ...ended, begun: apps.reduce((sum, app) => sum + app.begun, 0) };
  };

  for (const by of ["reset", "end", "silence"] satisfies Stop[])
    test(
      `gRPC, by ${by}`,
      async () => {
        let whole = 0;
        for (const of of ["answer", "request"] as const)
          for (const after of parts(grpc.app.answer.length)) {
            const once = await callGrpc("unsafe", { of, after, by });
            expect(once.begun).toBeLessThanOrEqual(1);
            const again = await callGrpc("safe", { of, after, by });
            expect(again.begun).toBeLessThanOrEqual(4);
            // What is said to have gone well is whole, and what is not whole has another status, or none.
            for (const { code, text } of [once, again]) if (code === 0) expect(text).toBe(said);
            if (again.code === 0) whole++;
          }
        expect(whole).toBeGreaterThan(0);
      },
      testMs,
    );

  for (const [to, { app }] of Object.entries(kinds))
    for (const by of ["reset", "end", "silence"] satisfies Stop[])
      test(
        `${to}, by ${by}`,
        async () => {
          let whole = 0;
          for (const of of ["answer", "request"] as const)
            for (const after of parts(app.answer.length)) {
              const once = await call(to, "POST", { of, after, by });
              expect(once.begun).toBeLessThanOrEqual(1);
              const again = await call(to, "GET", { of, after, by });
              expect(again.begun).toBeLessThanOrEqual(4);
              for (const { answer } of [once, again])
                if (answer?.status === 200) expect(answer.text).toBe(said);
              if (again.answer?.status === 200) whole++;
            }
          // What may happen twice was made whole by another attempt, at least where nothing of an answer had come.
          expect(whole).toBeGreaterThan(0);
        },
        testMs,
      );
});
