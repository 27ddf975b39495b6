/**
 * Every hook of policies in every protocol, at both sides, for both values of onError: what becomes of an exchange, whatever the policy does
 * and whenever it does so. `policy_hooks.txt` is the table as it was once judged right; GOLDEN=update writes what comes out now.
 */
import { afterAll, beforeAll, expect, test } from "bun:test";
import { join } from "node:path";
import { createPolicyChain } from "../../src/policy/chain.ts";
import type { Hook } from "../../src/policy/hooks.ts";
import { readBound } from "../../src/policy/said.ts";
import type { ExchangeRecord } from "../../src/telemetry/record.ts";
import { noEdits } from "../../src/wire/fields.ts";
import { expectGolden } from "../support/golden.ts";
import { Backend, Heard, request, serve } from "../support/http_relay.ts";
import { connectLocal, send } from "../support/opaque.ts";
import { testMs } from "../support/patience.ts";
import { Planes, runtime, type DestinationPlan } from "../support/planes.ts";
import { realmOf } from "../support/realm_of.ts";
import { ScriptedPolicies } from "../support/scripted_policies.ts";
import { listen, until } from "../support/sockets.ts";

const policies = new ScriptedPolicies();
const sides = ["caller", "server"] as const;
type Side = (typeof sides)[number];

/** By protocol: how the service is declared, what the client speaks, and the type of the answer. */
const protocols = {
  http1: { declared: "http", version: "http/1.1", type: "text/event-stream" },
  http2: { declared: "http2", version: "h2", type: "text/event-stream" },
  grpc: { declared: "grpc", version: "h2", type: "application/grpc" },
} as const;
type Protocol = keyof typeof protocols;
const names = Object.keys(protocols) as Protocol[];

/** What each hook decides, and where that shows. */
const edit = { set: { "x-decided": "yes" } };
const decisions: Readonly<Record<Hook, unknown>> = {
  onRequest: { do: "next", headers: edit },
  onConnection: { do: "next" },
  pick: prefersC,
  onResponse: { do: "next", headers: edit },
  onEvent: { do: "events", events: [{ data: "decided" }] },
  onChunk: { do: "next" },
  onEnd: { do: "next" },
};

/** Of the endpoints that are shown to it; when it is asked again after a call, none are. */
const preferred = { ids: [] as string[] };
function prefersC(about: unknown): unknown {
  const shown = (about as readonly { readonly id?: string }[]).flatMap(({ id }) => id ?? []);
  const found = shown.filter((id) => id.startsWith("c/"));
  if (found.length > 0) preferred.ids = found;
  return { do: "prefer", ids: preferred.ids };
}

const event = "data: from the app\n\n";

/** What the policy does when it is asked at the hook. */
const deeds = [
  "decides at once",
  "decides later",
  "decides after a call",
  "decides after a call without an answer",
  "does not answer",
  "throws",
  "says what is no decision",
  "client leaves meanwhile",
] as const;
type Deed = (typeof deeds)[number];

/** Answers are held back by the app until they are let go. */
const held: (() => void)[] = [];
const seen = { edited: false };
const answering = (version: "http/1.1" | "h2") =>
  serve(
    runtime,
    (exchange) => {
      const { fields } = exchange.request;
      seen.edited = fields.get("x-decided") === "yes";
      const type = fields.get("x-type") ?? "text/plain";
      exchange.accept({ data() {}, end() {}, aborted() {}, writable() {} });
      exchange.respond(200, null, { ...noEdits, set: ["content-type", type] }, -1);
      exchange.write(new TextEncoder().encode(event));
      const finish = (): void => void (exchange.finished || exchange.end(null));
      if (fields.get("x-hold") === "1") held.push(finish);
      else finish();
    },
    { version },
  );
const apps = { "http/1.1": answering("http/1.1"), h2: answering("h2") };
/** What policies call: it answers, or is silent. */
const called = serve(
  runtime,
  (exchange) => {
    exchange.accept({ data() {}, end() {}, aborted() {}, writable() {} });
    if (exchange.request.target === "/silent") return;
    exchange.respond(200, null, noEdits, 0);
    exchange.end(null);
  },
  { version: "http/1.1" },
);
const opaque = listen(runtime);

let planes: Planes;
beforeAll(async () => {
  const chain = () => createPolicyChain(policies, runtime.clock);
  const both = (name: string) => sides.map((side) => `${name}-${side}`);
  const app = (name: Protocol) => ({ app: apps[protocols[name].version].port });
  const running = Object.fromEntries(
    names.flatMap((name) => both(name).map((service) => [service, app(name)])),
  );
  const tcp = Object.fromEntries(both("tcp").map((name) => [name, { app: opaque.port }]));
  const second = Object.fromEntries(names.map((name) => [`${name}-caller`, app(name)]));
  planes = await Planes.start(
    { name: "a", services: { caller: { app: 9, upstreams: both("tcp") } }, policies: chain() },
    { name: "b", services: { ...running, ...tcp, called: { app: called.port } }, policies: chain() },
    { name: "c", services: second, policies: chain() },
  );
  const bindings = [policies.binding({ service: "called" })];
  const plan = (side: Side, declared: DestinationPlan["protocol"]): DestinationPlan => ({
    ...(declared === undefined ? {} : { protocol: declared }),
    ...(side === "caller" ? { policies: bindings } : { serverPolicies: bindings }),
  });
  const plans = sides.flatMap((side) => [
    ...names.map((name): [string, DestinationPlan] => [
      `${name}-${side}`,
      plan(side, protocols[name].declared),
    ]),
    [`tcp-${side}`, plan(side, "tcp")] as [string, DestinationPlan],
  ]);
  planes.apply({ ...Object.fromEntries(plans), called: { protocol: "http" } });
}, testMs);
afterAll(async () => {
  await planes.close();
  for (const app of [...Object.values(apps), called]) app.close();
  opaque.listener.close();
});

/** Gets the policy ready for what it is to do at the hook. */
function prepare(hook: Hook, deed: Deed, onError: "open" | "closed"): void {
  policies.reset();
  held.length = 0;
  policies.onError = onError;
  const decision = decisions[hook];
  if (deed === "decides later" || deed === "client leaves meanwhile") policies.later.add(hook);
  if (deed === "decides after a call without an answer") policies.waitMs = 20;
  const said: Readonly<Record<Deed, unknown>> = {
    "decides at once": decision,
    "decides later": decision,
    "client leaves meanwhile": decision,
    "decides after a call": firstWaits("/", decision),
    "decides after a call without an answer": firstWaits("/silent", decision),
    "does not answer": new Error("no answer in time"),
    throws: { do: "fail", reason: "policies/a.ts:1:2: Error: no" },
    "says what is no decision": { do: "explode" },
  };
  policies.says = { [hook]: said[deed] };
}

/** Once for each exchange; there is one at a time. */
function firstWaits(path: string, decision: unknown): (about: unknown) => unknown {
  const wants = [{ service: "called", path, method: "GET", headers: {}, body: "" }];
  let waited = false;
  return (about) => {
    const decided = typeof decision === "function" ? (decision as typeof prefersC)(about) : decision;
    if (waited) return decided;
    waited = true;
    return { do: "wait", ticket: 1, wants };
  };
}

/** The policy that answers later does so whenever it is looked. */
const untilReleased = (over: () => boolean, sentence: string): Promise<void> =>
  until(() => {
    policies.release();
    return over();
  }, sentence);

const recordsOf = (side: Side): ExchangeRecord[] =>
  side === "caller" ? planes.machine("a").records.of("outbound") : planes.machine("b").records.of("inbound");

/** Who carries an exchange of the policy itself is not what the table is about. */
const ofService = (side: Side, service: string): ExchangeRecord[] =>
  recordsOf(side).filter((record) => record.service.startsWith(service));

/** How often the end of each exchange was told that the policy saw begin; one that waits is asked again and was not told again. */
function endsTold(): number[] {
  const ends = new Map<string | undefined, number>();
  for (const { hook, exchange } of policies.asked)
    if (hook === "onRequest" || hook === "onConnection") ends.set(exchange, 0);
  for (const { hook, exchange, resumes } of policies.asked) {
    const before = ends.get(exchange);
    if (hook === "onEnd" && before !== undefined && resumes === undefined) ends.set(exchange, before + 1);
  }
  return [...ends.values()];
}

/** The policy saw exchanges, and heard of the end of each. */
const isOver = (): boolean => endsTold().length > 0 && endsTold().every((times) => times > 0);

/** It waits with its answer, about an exchange that it saw begin: what is left of one before is none of it. */
const isAsked = (): boolean => policies.waits && endsTold().length > 0;

/** Appends what does not follow from the outcome: a failure that counts against the policy, and an end that is not told once. */
function marked(outcome: string): string {
  const isOnce = endsTold().every((times) => times === 1);
  return `${outcome}${policies.trips.length > 0 ? " !" : ""}${isOnce ? "" : ` (ends: ${endsTold().join(", ")})`}`;
}

async function httpCell(hook: Hook, protocol: Protocol, side: Side, deed: Deed): Promise<string> {
  const { version, type } = protocols[protocol];
  const service = `${protocol}-${side}`;
  const what = `${service} ${hook} ${deed}`;
  const client = await new Backend(runtime, planes.machine("a").port("caller"), version).take();
  const heard = new Heard();
  const before = ofService(side, service).length;
  const leaves = deed === "client leaves meanwhile";
  const set = ["x-type", type, ...(protocol === "grpc" ? ["content-type", type] : [])];
  const fields = [...set, ...(leaves ? ["x-hold", "1"] : [])];
  const stream = client.start(request({ authority: `${service}.mesh` }), { ...noEdits, set: fields }, heard);
  stream.end(null);
  const recorded = (): boolean => ofService(side, service).length > before;
  if (leaves) {
    await until(() => (hook === "onEnd" ? held.length > 0 : isAsked()), `${what}: it is asked`);
    stream.cancel();
    client.destroy();
    await untilReleased(() => recorded() && isOver(), `${what}: it is over`);
  } else {
    const over = (): boolean => heard.over && recorded() && isOver();
    await untilReleased(over, `${what}: it is over`);
    client.destroy();
  }
  if (policies.times(hook) === 0) return "-";
  const record = ofService(side, service).at(-1) as ExchangeRecord;
  if (leaves) return marked(`left ${record.outcome?.flag ?? ""}`);
  return marked(outcomeOf(hook, deed, heard, record));
}

function outcomeOf(hook: Hook, deed: Deed, heard: Heard, { endpoint, outcome }: ExchangeRecord): string {
  const flag = outcome?.flag ?? "";
  const { status = 0, fields } = heard.answer ?? {};
  const grpcStatus = fields?.get("grpc-status") ?? null;
  if (grpcStatus !== null) return `grpc-status ${grpcStatus} ${flag}`;
  if (status !== 200) return `${status} ${flag}`;
  if (heard.failure !== null) return `cut ${flag}`;
  if (heard.body.includes("event: error")) return `event: error ${flag}`;
  const shows: Readonly<Partial<Record<Hook, boolean>>> = {
    onRequest: seen.edited,
    pick: deed.startsWith("decides") && endpoint === preferred.ids[0],
    onResponse: fields?.get("x-decided") === "yes",
    onEvent: heard.body === "data: decided\n\n",
  };
  const isWhole = heard.body === event || heard.body === "data: decided\n\n";
  if (!isWhole) return `200 with ${JSON.stringify(heard.body)}`;
  return shows[hook] === true ? "decided" : "goes on";
}

async function tcpCell(hook: Hook, side: Side, deed: Deed): Promise<string> {
  const service = `tcp-${side}`;
  const a = planes.machine("a");
  const [before, since] = [ofService(side, service).length, opaque.accepted.length];
  const client = await connectLocal(a.port("caller", service));
  const leaves = deed === "client leaves meanwhile";
  const isBroken = (): boolean => client.heard.closed || client.heard.ended;
  if (leaves && hook === "onConnection") {
    await until(isAsked, "the policy is asked");
    client.socket.reset();
  } else {
    await untilReleased(
      () => opaque.accepted.length > since || isBroken(),
      `${service} ${hook} ${deed}: it is decided`,
    );
    if (!isBroken()) {
      send(client, "hello");
      // A client that left before may have come so far, too.
      const reached = () => opaque.accepted.slice(since).find(({ heard }) => heard.text() === "hello");
      await untilReleased(
        () => reached() !== undefined || isBroken(),
        `${service} ${hook} ${deed}: bytes arrive`,
      );
      const app = reached();
      if (leaves) client.socket.reset();
      else if (app !== undefined) {
        client.socket.shutdown();
        await until(() => app.heard.ended || app.heard.closed, "the app hears of the end");
        app.socket.shutdown();
      }
    }
  }
  const over = (): boolean => ofService(side, service).length > before && isOver();
  await untilReleased(over, `${service} ${hook} ${deed}: the connection is over`);
  if (policies.times(hook) === 0) return "-";
  const flag = ofService(side, service).at(-1)?.outcome?.flag ?? "";
  if (leaves) return marked(`left ${flag}`.trim());
  return marked(client.heard.error === null ? "goes on" : `reset ${flag}`);
}

/** A hook that is not asked is not asked whatever it would do. */
async function rowOf(
  cells: readonly string[],
  hook: Hook,
  onError: "open" | "closed",
  cell: (deed: Deed) => Promise<string>,
): Promise<string> {
  const row = [hook, ...cells, onError];
  for (const deed of deeds) {
    prepare(hook, deed, onError);
    const outcome = await cell(deed);
    if (outcome === "-") return [...row, "is not asked"].join(" | ");
    row.push(outcome);
  }
  return row.join(" | ");
}

const httpHooks = ["onRequest", "pick", "onResponse", "onEvent", "onChunk", "onEnd"] as const;
const tcpHooks = ["onConnection", "onChunk", "onEnd"] as const;

/** What an author's own look at options says, in words of the author: no proxy carries anything meanwhile. */
const onConfigSays = {
  "decides at once": `[{ path: "a", message: "is wrong" }]`,
  "decides later": `Promise.resolve([{ path: "a", message: "is wrong" }]) as never`,
  throws: `(() => { throw new Error("no"); })()`,
  "says what is no decision": `7 as never`,
} as const;

async function onConfigLines(): Promise<string[]> {
  const lines: string[] = [];
  for (const [deed, said] of Object.entries(onConfigSays)) {
    const text = `import { definePolicy, next } from "heddle/policy";
import * as v from "valibot";
export default definePolicy({
  api: 1, name: "checks", version: "1.0.0", options: v.object({}), onError: "open",
  onRequest: () => next(),
  onConfig: () => ${said},
});
`;
    const realm = await realmOf({ file: "policies/checks.ts", text });
    const answer = readBound(realm.bind(1, "{}"));
    lines.push(`onConfig | ${deed} | ${answer === null ? "is no answer" : JSON.stringify(answer.issues)}`);
  }
  return lines;
}

test(
  "every hook comes to what the table says, in every protocol, whatever its policy does and whenever",
  async () => {
    const rows: string[] = [];
    for (const onError of ["closed", "open"] as const)
      for (const side of sides) {
        for (const protocol of names)
          for (const hook of httpHooks) {
            const cell = (deed: Deed) => httpCell(hook, protocol, side, deed);
            rows.push(await rowOf([protocol, side], hook, onError, cell));
          }
        for (const hook of tcpHooks)
          rows.push(await rowOf(["tcp", side], hook, onError, (deed) => tcpCell(hook, side, deed)));
      }
    const head = [
      "What becomes of an exchange, by hook, protocol, side at which the policy stands, its onError, and what it does there.",
      "decided: as the policy decided; goes on: as if there were no policy; !: that counts against the policy. Its onEnd is asked once.",
      "",
      ["hook", "protocol", "side", "onError", ...deeds].join(" | "),
    ];
    const table = [...head, ...rows.toSorted(), "", ...(await onConfigLines()), ""].join("\n");
    expectGolden(join(import.meta.dir, "policy_hooks.txt"), table);
    expect(table).not.toContain("(ends: ");
  },
  testMs,
);
