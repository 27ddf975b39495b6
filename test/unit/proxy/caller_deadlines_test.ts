/** How long a caller still waits: it is told on, what has passed is sent nowhere, and no instance is to blame for a short one. */
import { describe, expect, test } from "bun:test";
import type { Socket } from "../../../runtime/contract.ts";
import { limits } from "../../../src/model/limits.ts";
import type { DestinationPlan } from "../../support/planes.ts";
import { MemoryApp, MemoryCall } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { named, Planes, type TestMachine } from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";

const ok = bytesOf("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok");

class Mesh {
  readonly net = new MemoryNet();
  readonly app: MemoryApp;
  planes!: Planes;
  readonly #waiting: Socket[] = [];

  private constructor(answers: boolean, answer: (socket: Socket) => void) {
    this.app = new MemoryApp(this.net, {
      at: (step, socket) => {
        if (step !== "whole") return;
        if (answers) answer(socket);
        else this.#waiting.push(socket);
      },
    });
  }

  /** One instance of web, on machine b, whose app answers or is silent. */
  static async start(
    answers: boolean,
    web: DestinationPlan = {},
    place: "a" | "b" = "b",
    answer: (socket: Socket) => void = (socket) => void socket.write(ok),
  ): Promise<Mesh> {
    const mesh = new Mesh(answers, answer);
    const caller = { app: 9, upstreams: ["web"] };
    const app = { app: mesh.app.port };
    const machines =
      place === "a"
        ? [{ name: "a", services: { caller, web: app } }]
        : [
            { name: "a", services: { caller } },
            { name: "b", services: { web: app } },
          ];
    mesh.planes = await Planes.inMemory(mesh.net, ...machines);
    mesh.planes.apply({ caller: {}, web });
    return mesh;
  }

  get caller(): TestMachine {
    return this.planes.machine("a");
  }

  async call(fields: string, passMs = 0): Promise<MemoryCall> {
    const head = `GET /x HTTP/1.1\r\nhost: web.mesh\r\n${fields}\r\n`;
    const call = new MemoryCall(this.net, this.caller.port("caller", "web"), [head]);
    if (passMs > 0) await this.net.pass(passMs);
    else await this.net.settle();
    return call;
  }

  /** What the app was silent about. */
  async answerAll(): Promise<void> {
    for (const socket of this.#waiting.splice(0)) socket.write(ok);
    await this.net.settle();
  }

  get told(): string | undefined {
    return this.app.requests.at(-1)?.fields.get("x-request-deadline");
  }

  get flags(): (string | undefined)[] {
    return this.caller.records.of("outbound").map((record) => record.outcome?.flag);
  }
}

describe("the deadline of a caller", () => {
  test("reaches the app", async () => {
    const mesh = await Mesh.start(true);
    await mesh.call("x-request-deadline: 2s\r\n");
    expect(mesh.told).toBe("2s");
  });

  test("ends a request when it is over, with the flag DP and the number that the caller gave", async () => {
    const mesh = await Mesh.start(false);
    const call = await mesh.call("x-request-deadline: 300\r\n", 600);
    expect([call.answer.status, ...mesh.flags]).toEqual([504, "DP"]);
    expect(call.answer.body).toContain("300 ms");
  });

  test("counts where it is shorter than the timeout of the service, which the app is told else", async () => {
    const traffic = { timeouts: { requestMs: 700 } };
    const mesh = await Mesh.start(false, { traffic });
    await mesh.call("x-request-deadline: 5s\r\n", 1_000);
    expect([mesh.told, ...mesh.flags]).toEqual(["700ms", "UT"]);
    await mesh.call("", 1_000);
    expect(mesh.told).toBe("700ms");
    await mesh.call("x-request-deadline: 400ms\r\n", 1_000);
    expect(mesh.flags.at(-1)).toBe("DP");
  });

  for (const place of ["a", "b"] as const)
    test(`that has passed already is sent to no app, app on ${place}`, async () => {
      const mesh = await Mesh.start(true, {}, place);
      const call = await mesh.call("x-request-deadline: 0\r\n");
      expect([call.answer.status, mesh.app.requests.length, ...mesh.flags]).toEqual([504, 0, "DP"]);
      // Not even another machine hears of it.
      expect(mesh.caller.records.attempts).toEqual([]);
    });
});

describe("a request that failed, with a deadline", () => {
  const web = { traffic: { retries: { codes: [503] } } };
  const busy = bytesOf("HTTP/1.1 503 No\r\ncontent-length: 2\r\n\r\nno");

  /** Half of the answers take 200 ms and more, as far as its proxy knows; then one is 503 at once, and the next one good. */
  async function tried(
    deadline: string,
  ): Promise<{ readonly status: number; readonly noRetry?: string | undefined }> {
    let failures = 1;
    const mesh = await Mesh.start(true, web, "b", (socket) => socket.write(failures-- > 0 ? busy : ok));
    const { latencies } = mesh.caller.plane.state?.destinations.get("web.default") ?? {};
    for (let count = 0; count < limits.retryUsualSamplesMin; count++) latencies?.add(200);
    const { answer } = await mesh.call(`x-request-deadline: ${deadline}\r\n`, 300);
    return { status: answer.status, noRetry: mesh.caller.records.of("outbound").at(-1)?.noRetry };
  }

  test("is sent again while that leaves as much as half of the answers take", async () => {
    expect(await tried("400ms")).toEqual({ status: 200, noRetry: "" });
  });

  test("is not when it leaves less, and its record says why", async () => {
    expect(await tried("190ms")).toEqual({ status: 503, noRetry: "short-deadline" });
  });
});

describe("a request that waits in line", () => {
  /** The app takes one request at a time. */
  const narrow = { traffic: { limits: { connectionsPerEndpoint: 1 } } };

  test("is not sent to the app when its time is over, and what is sent says what is left of it", async () => {
    const mesh = await Mesh.start(false, narrow);
    await mesh.call("");
    const late = await mesh.call("x-request-deadline: 100ms\r\n");
    const early = await mesh.call("x-request-deadline: 2s\r\n");
    // Over at the far proxy; the near one looks at its deadlines a little later, and has not given it up.
    await mesh.net.pass(101);
    expect(mesh.app.requests.length).toBe(1);
    await mesh.answerAll();
    await mesh.answerAll();
    await mesh.net.pass(200);
    expect([late.answer.status, early.answer.status]).toEqual([504, 200]);
    expect(mesh.app.requests.length).toBe(2);
    expect(mesh.told).toBe("1899ms");
  });
});

describe("an instance whose callers wait for a short time only", () => {
  const web = { traffic: { circuitBreaking: { failures: 3 } } };
  const ejectionsAfter = async (deadline: string, passMs: number): Promise<readonly string[]> => {
    // Of two instances one may be out.
    const mesh = await Mesh.start(false, web);
    const state = mesh.caller.plane.state?.destinations.get("web.default");
    const [endpoint] = state?.endpoints.values() ?? [];
    for (let count = 0; count < 5; count++) await mesh.call(`x-request-deadline: ${deadline}\r\n`, passMs);
    return [String(endpoint?.health.streak)];
  };

  test("is not to blame for it", async () => {
    expect(await ejectionsAfter("200ms", 400)).toEqual(["0"]);
  });

  test("is to blame when it had time enough", async () => {
    const ms = limits.breakerDeadlineMs;
    expect(await ejectionsAfter(`${ms + 100}ms`, ms + 400)).toEqual(["5"]);
  });
});

test("a route's timeout that ends is to blame on the instance, as before", async () => {
  const mesh = await Mesh.start(false, {
    routes: [
      {
        name: "all",
        match: { path: { type: "PathPrefix", value: "/" }, method: null, headers: [] },
        backends: [{ service: named("web"), subset: null, weight: 1, invalid: null }],
        requestTimeoutMs: 300,
        idempotent: false,
        policies: [],
      },
    ],
  });
  await mesh.call("", 600);
  const state = mesh.caller.plane.state?.destinations.get("web.default");
  expect([...(state?.endpoints.values() ?? [])].map(({ health }) => health.streak)).toEqual([1]);
});
