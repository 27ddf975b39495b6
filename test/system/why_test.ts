/** `heddle why` and `heddle tap` on the compiled binary: what an operator learns of requests that went well, and of some that did not. */
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { binaryMissing, binaryPath } from "../../compile/repository.ts";
import { heddle, type Said } from "../support/command.ts";
import { callByName, callUntil, type Answer } from "../support/http_calls.ts";
import { startMesh, type Mesh } from "../support/mesh.ts";
import { testMs } from "../support/patience.ts";
import { plainEnvironment, waitFor } from "../support/processes.ts";

const documents = `
{kind: Service, name: caller, port: 80, protocol: http}
---
{kind: Service, name: web, port: 80, protocol: http}
---
kind: HTTPRoute
name: web
service: web
rules:
  - {name: beta, matches: [{path: /v1, headers: {x-user: beta}}]}
  - {name: v1, matches: [{path: /v1}]}
---
{kind: Access, name: web, service: web, allow: [{from: caller, methods: [GET]}]}
`;

describe.skipIf(binaryMissing)("a request through a mesh", () => {
  let mesh: Mesh;

  beforeAll(async () => {
    mesh = await startMesh({
      documents,
      machines: [
        { name: "vm-a", services: [{ service: "caller", app: "none", calls: { web: "by-name" } }] },
        { name: "vm-b", services: [{ service: "web" }] },
      ],
    });
    await callUntil(
      "web answers",
      () => call({ path: "/v1/x" }),
      ({ status }) => status === 200,
    );
  }, testMs);
  afterAll(async () => {
    await mesh?.stop();
  }, testMs);

  const call = (options: { path: string; method?: string }): Promise<Answer> =>
    callByName(mesh.machine("vm-a"), "caller", "web", options);
  const idOf = (answer: Answer): string => answer.headers.get("x-request-id") ?? "";
  const why = (...args: readonly string[]): Said =>
    heddle(["why", ...args], { state: `${mesh.folder}/control` });

  test("that went well is explained from both sides", async () => {
    const { out, code } = why(idOf(await call({ path: "/v1/x?secret=1" })));
    expect(code).toBe(0);
    expect(out).toContain("It ended well.");
    expect(out).toMatch(/route +web\/v1\n/);
    expect(out).toContain("not web/beta: a header did not fit: x-user: beta");
    expect(out).toMatch(/caller +on vm-a: 200 after/);
    expect(out).toMatch(/callee +on vm-b: 200 after/);
    expect(out).toContain("allow by the rule web#allow[0]");
    expect(out).not.toContain("secret");
  });

  test("is seen by whoever taps it until Ctrl-C, and others are not", async () => {
    const command = [
      binaryPath,
      "tap",
      "--path",
      "/v1/tapped",
      "--output",
      "json",
      "--state",
      `${mesh.folder}/control`,
    ];
    const tap = Bun.spawn(command, { env: plainEnvironment(), stderr: "pipe" });
    let said = "";
    const reading = (async () => {
      for await (const chunk of tap.stdout) said += new TextDecoder().decode(chunk);
    })();
    await waitFor("a line of the tap", async () => {
      await call({ path: "/v1/other" });
      await call({ path: "/v1/tapped?secret=1" });
      return said.includes("\n") ? true : null;
    });
    tap.kill("SIGINT");
    expect(await tap.exited).toBe(0);
    await reading;
    const lines = said.trim().split("\n");
    expect(said).not.toContain("secret");
    for (const line of lines)
      expect(JSON.parse(line)).toMatchObject({ machine: "vm-a", path: "/v1/tapped", service: "web.default" });
  });

  test("is tapped until whoever reads the tap has enough, as with head", async () => {
    const command = `"$0" tap --output json --state "${mesh.folder}/control" | head -n 1`;
    const tap = Bun.spawn(["sh", "-c", command, binaryPath], { env: plainEnvironment() });
    let over = false;
    void tap.exited.then(() => (over = true));
    await waitFor("head and tap have ended", async () => {
      await call({ path: "/v1/x" });
      return over || null;
    });
    expect(JSON.parse(await new Response(tap.stdout).text())).toMatchObject({ path: "/v1/x" });
  });

  test("that a rule denies, that no route takes, or that finds no app names its cause", async () => {
    const causeOf = (answer: Answer): unknown => JSON.parse(why(idOf(answer), "--output", "json").out).cause;
    expect(causeOf(await call({ path: "/v1/x", method: "POST" }))).toMatchObject({
      ...{ flag: "AD", side: "downstream", machine: "vm-b", next: "heddle get Access" },
    });
    expect(causeOf(await call({ path: "/v2" }))).toMatchObject({
      flag: "NR",
      side: "downstream",
      machine: "vm-a",
    });
    mesh.machine("vm-b").apps.get("web")?.kill("SIGKILL");
    expect(causeOf(await call({ path: "/v1/x" }))).toMatchObject({ side: "upstream" });
  });

  test("that nobody remembers is told so, as the answer no", () => {
    const { code, err } = why("never-was");
    expect(code).toBe(1);
    expect(err).toContain("No proxy that answered remembers the request never-was");
    expect(why("a b;c").code).toBe(2);
  });
});
