/** What a proxy makes of the controller's stream. */
import { expect, test } from "bun:test";
import type { ControlStream, StreamHandler } from "../../../src/api/control.ts";
import type { SnapshotReply, SubscribeRequest } from "../../../src/api/snapshot_messages.ts";
import { SnapshotFollower } from "../../../src/app/snapshot_follower.ts";
import { limits } from "../../../src/model/limits.ts";
import type { Snapshot } from "../../../src/model/snapshot.ts";
import { patchBetween } from "../../../src/model/snapshot_patch.ts";
import { SnapshotHasher } from "../../../src/model/snapshot_version.ts";
import { ManualClock } from "../../support/clock.ts";

const hasher = new SnapshotHasher();

function snapshot(trustDomain: string): Snapshot {
  const content = { format: 1, trustDomain, destinations: [], policies: [] } as unknown as Omit<
    Snapshot,
    "version"
  >;
  return { ...content, version: hasher.version(content) };
}

interface Opened {
  readonly handler: StreamHandler;
  readonly asked: string;
  closed: boolean;
}

function following(
  refuses: (snapshot: Snapshot) => boolean = () => false,
  takesLines = false,
  reason = "it is not wanted",
) {
  const streams: Opened[] = [];
  const lines: unknown[] = [];
  const replies: SnapshotReply[] = [];
  const applied: string[] = [];
  const control = {
    call: async (_method: string, path: string, body: unknown) => {
      if (path.endsWith("/reply")) replies.push(body as SnapshotReply);
      return { status: 200, body: {} };
    },
    stream: (_path: string, handler: StreamHandler, body: SubscribeRequest): ControlStream => {
      const opened: Opened = { handler, asked: body.version, closed: false };
      streams.push(opened);
      const send = (line: unknown): boolean => {
        if (takesLines) lines.push(line);
        return takesLines;
      };
      return { send, close: () => (opened.closed = true) };
    },
    close: () => undefined,
  };
  const clock = new ManualClock();
  const files = { read: async () => null, stat: async () => null, writeAtomic: async () => undefined };
  const follower = new SnapshotFollower({
    runtime: { clock, files, random: { unit: () => 0.5 } },
    folder: { snapshot: "s", rates: "r", uses: "u" },
    control,
    places: { controllers: () => [], look: async () => undefined, told: async () => undefined },
    store: { node: null, services: new Map(), setBundle: async () => undefined },
    machine: () => ({ services: [] }),
    policies: { prepare: async () => undefined, applied: () => undefined },
    apply: async (next: Snapshot) => {
      if (refuses(next)) throw new Error(reason);
      applied.push(next.trustDomain);
    },
    rates: { wants: () => [], give: () => undefined },
    unconfirmed: () => [],
    missing: () => undefined,
    asked: () => undefined,
    keep: () => undefined,
    disconnected: () => undefined,
    refused: async () => undefined,
    log: () => undefined,
  } as unknown as ConstructorParameters<typeof SnapshotFollower>[0]);
  const settle = () => new Promise((resolve) => setImmediate(resolve));
  return { follower, streams, replies, lines, applied, settle };
}

const [one, two, three, four] = ["one", "two", "three", "four"].map(snapshot) as [
  Snapshot,
  Snapshot,
  Snapshot,
  Snapshot,
];

test("changes that follow one that could not be taken are passed over until all comes whole, on one stream", async () => {
  const { follower, streams, applied, settle } = following();
  await follower.start();
  const [first] = streams;
  first?.handler.line({ kind: "snapshot", snapshot: one });
  first?.handler.line({ kind: "patch", ...patchBetween(two, three) });
  first?.handler.line({ kind: "patch", ...patchBetween(three, four) });
  await settle();
  expect(first?.closed).toBe(true);
  expect(streams.map(({ asked }) => asked)).toEqual(["", ""]);
  expect(streams[1]?.closed).toBe(false);
  streams[1]?.handler.line({ kind: "snapshot", snapshot: four });
  streams[1]?.handler.line({ kind: "patch", ...patchBetween(four, one) });
  await settle();
  expect(applied).toEqual(["one", "four", "one"]);
  follower.close();
});

test("a snapshot that was refused is no problem any more once the one in force is the one that is wanted", async () => {
  const { follower, streams, replies, settle } = following(({ trustDomain }) => trustDomain === "two");
  await follower.start();
  streams[0]?.handler.line({ kind: "snapshot", snapshot: one });
  streams[0]?.handler.line({ kind: "snapshot", snapshot: two });
  await settle();
  expect(replies.at(-1)).toMatchObject({ version: one.version, error: "it is not wanted" });
  streams[0]?.handler.line({ kind: "current", version: one.version, controllerMs: 0 });
  await settle();
  expect(replies.at(-1)).toMatchObject({ version: one.version, error: null });
  expect(follower.confirmedMs).toBeGreaterThan(0);
  follower.close();
});

test("a snapshot is refused in no more words than the controller takes", async () => {
  const { follower, streams, lines, settle } = following(() => true, true, "no".repeat(5_000));
  await follower.start();
  streams[0]?.handler.line({ kind: "snapshot", snapshot: one });
  await settle();
  const [{ error }] = lines as [SnapshotReply];
  expect(error).toBe("no".repeat(limits.snapshotProblemLengthMax / 2));
  follower.close();
});

test("a proxy answers on its stream where the controller takes lines there, and by a call where it does not", async () => {
  for (const takesLines of [true, false]) {
    const { follower, streams, replies, lines, settle } = following(() => false, takesLines);
    await follower.start();
    streams[0]?.handler.line({ kind: "snapshot", snapshot: one });
    await settle();
    const answer = { version: one.version, error: null, certificates: [] };
    expect(lines).toEqual(takesLines ? [{ kind: "reply", ...answer }] : []);
    expect(replies).toEqual(takesLines ? [] : [answer]);
    follower.close();
  }
});
