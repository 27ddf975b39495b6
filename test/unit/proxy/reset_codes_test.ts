/**
 * How an answer of an HTTP/2 app that goes wrong reaches the caller: the code of a reset, the gRPC status, and what heads and
 * bodies are on the wire. Whole planes in memory; the app is moved by hand.
 */
import { describe, expect, test } from "bun:test";
import type { Http2Client } from "../../../src/http/h2_client.ts";
import { Shard } from "../../../src/http/shard.ts";
import { limits } from "../../../src/model/limits.ts";
import { noEdits } from "../../../src/wire/fields.ts";
import { errorCodes, frameFlags, frameTypes } from "../../../src/wire/h2/frames.ts";
import { profiles } from "../../../src/wire/h2/settings.ts";
import { data, frame, getFields, headers, number32, opening, settings } from "../../support/h2_frames.ts";
import type { FieldList, Frame } from "../../support/h2_frames.ts";
import { dialPeer, listenPeer, type H2Peer } from "../../support/h2_peer.ts";
import { dialHttp2, Heard, request } from "../../support/http_relay.ts";
import { MemoryCall } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { Planes, type TestMachine } from "../../support/planes.ts";
import { fieldsOf } from "../../support/wire.ts";

const places = ["another machine", "the same machine"] as const;
type Place = (typeof places)[number];

const grpcHead: FieldList = [
  [":status", "200"],
  ["content-type", "application/grpc"],
];
const plainHead: FieldList = [[":status", "200"]];
const ok: FieldList = [["grpc-status", "0"]];
const reset = (id: number, code: number): Uint8Array => frame(frameTypes.rstStream, 0, id, number32(code));

class Scene {
  private constructor(
    readonly net: MemoryNet,
    readonly apps: readonly H2Peer[],
    readonly caller: TestMachine,
    readonly port: number,
  ) {}

  static async at(place: Place): Promise<Scene> {
    const net = new MemoryNet();
    const app = listenPeer({ net });
    const caller = { caller: { app: 9, upstreams: ["web"] } };
    const web = { web: { app: app.port } };
    const planes =
      place === "the same machine"
        ? await Planes.inMemory(net, { name: "a", services: { ...caller, ...web } })
        : await Planes.inMemory(net, { name: "a", services: caller }, { name: "b", services: web });
    planes.apply({ caller: {}, web: { protocol: "grpc" } });
    const machine = planes.machine("a");
    return new Scene(net, app.peers, machine, machine.port("caller", "web"));
  }

  async client(): Promise<Http2Client> {
    const shard = new Shard(this.net.clock);
    const dialled = dialHttp2({ net: this.net, clock: this.net.clock }, this.port, {
      profile: profiles.app,
      shard,
    });
    await this.net.settle();
    const client = await dialled;
    // It sends larger heads than it was told are taken.
    client.peer.headListBytesMax = Infinity;
    return client;
  }

  /** Starts a call of a client and brings it to the app. */
  async call(client: Http2Client, grpc: boolean, method = "POST", more: string[] = []): Promise<Heard> {
    const heard = new Heard();
    const own = grpc ? ["content-type: application/grpc", "te: trailers"] : ["accept: */*"];
    const fields = fieldsOf(...more, ...own);
    client.shard.enter();
    client.start(request({ method, authority: "web.mesh", fields }), noEdits, heard);
    client.shard.leave();
    await this.net.settle();
    return heard;
  }

  /** The connection to the app that was made last. */
  get app(): H2Peer {
    const last = this.apps.at(-1);
    if (last === undefined) throw new Error("Nobody called the app");
    return last;
  }

  /** Stream of the request that the app got last. */
  get stream(): number {
    return this.app.of(frameTypes.headers).at(-1)?.streamId ?? 0;
  }

  async say(...parts: readonly Uint8Array[]): Promise<void> {
    this.app.send(...parts);
    await this.net.settle();
  }
}

/** A call that reached the app, whose SETTINGS are said. */
async function begun(place: Place, grpc: boolean, method = "POST"): Promise<{ scene: Scene; heard: Heard }> {
  const scene = await Scene.at(place);
  const heard = await scene.call(await scene.client(), grpc, method);
  await scene.say(settings());
  return { scene, heard };
}

const kept = ["internalError", "cancel", "enhanceYourCalm", "protocolError", "inadequateSecurity"] as const;

for (const place of places)
  describe(`an app on ${place}`, () => {
    for (const grpc of [true, false])
      describe(grpc ? "called by gRPC" : "called by plain HTTP/2", () => {
        for (const name of kept) {
          const code = errorCodes[name];
          test(`that resets a stream with ${name} before it answers resets that of its caller with it`, async () => {
            const { scene, heard } = await begun(place, grpc);
            await scene.say(reset(scene.stream, code));
            expect([heard.answer, heard.failure?.reset]).toEqual([null, code]);
            const [record] = scene.caller.records.of("outbound");
            expect(record?.outcome).toMatchObject({ flag: "UR" });
          });

          test(`that resets a stream with ${name} inside its answer resets that of its caller with it`, async () => {
            const { scene, heard } = await begun(place, grpc);
            await scene.say(
              headers(scene.stream, grpc ? grpcHead : plainHead, false),
              data(scene.stream, "x"),
            );
            await scene.say(reset(scene.stream, code));
            expect([heard.body, heard.failure?.reset]).toEqual(["x", code]);
          });
        }

        test("that took a request back is unavailable, and its caller is not told to repeat by itself", async () => {
          const { scene, heard } = await begun(place, grpc);
          for (let count = 0; count < limits.attemptsMax + limits.refusedFreeMax; count++) {
            await scene.say(reset(scene.stream, errorCodes.refusedStream));
            await scene.net.pass(limits.retryBackoffMaxMs);
          }
          const status = grpc ? heard.answer?.fields.get("grpc-status") : heard.answer?.status;
          expect([heard.failure, status]).toEqual([null, grpc ? "14" : 502]);
        });
      });

    test("that resets a stream that may be sent again is called again", async () => {
      const { scene, heard } = await begun(place, false, "GET");
      await scene.say(reset(scene.stream, errorCodes.internalError));
      await scene.net.pass(limits.retryBackoffMs);
      await scene.say(headers(scene.stream, plainHead, true));
      expect([heard.answer?.status, heard.failure]).toEqual([200, null]);
    });

    test("whose reset reaches a caller of HTTP/1.1 is an answer 502", async () => {
      const scene = await Scene.at(place);
      const head = "POST / HTTP/1.1\r\nhost: web.mesh\r\ncontent-length: 0\r\n\r\n";
      const call = new MemoryCall(scene.net, scene.port, [head]);
      await scene.net.settle();
      await scene.say(settings(), reset(scene.stream, errorCodes.enhanceYourCalm));
      expect(call.answer).toMatchObject({ status: 502, whole: true });
      expect(call.answer.fields.get("x-heddle-error")).toContain("ENHANCE_YOUR_CALM");
    });

    test("that dies inside an answer of gRPC is UNAVAILABLE, behind what it said", async () => {
      const { scene, heard } = await begun(place, true);
      await scene.say(headers(scene.stream, grpcHead, false), data(scene.stream, "x"));
      scene.app.socket.reset();
      await scene.net.settle();
      expect([heard.body, heard.failure]).toEqual(["x", null]);
      expect(heard.trailers?.[0]).toEqual(["grpc-status", "14"]);
      expect(scene.caller.records.of("outbound")[0]?.outcome?.flag).toBe("UR");
    });

    test("that dies inside another answer ends it so that nobody takes it for whole", async () => {
      const { scene, heard } = await begun(place, false);
      await scene.say(headers(scene.stream, plainHead, false), data(scene.stream, "x"));
      scene.app.socket.reset();
      await scene.net.settle();
      expect(heard.failure?.reset).toBe(errorCodes.internalError);
    });

    for (const size of [8, 20, 60])
      test(`says its status in trailers of ${size} kB`, async () => {
        const { scene, heard } = await begun(place, true);
        const details = "d".repeat(size * 1024);
        await scene.say(
          headers(scene.stream, grpcHead, false),
          data(scene.stream, "x"),
          ...split(
            headers(scene.stream, [
              ["grpc-status", "9"],
              ["grpc-status-details-bin", details],
            ]),
          ),
        );
        expect(heard.failure).toBeNull();
        expect(heard.trailers).toEqual([
          ["grpc-status", "9"],
          ["grpc-status-details-bin", details],
        ]);
      });

    test("whose trailers are over the limit has exhausted what there is, and its other calls go on", async () => {
      const scene = await Scene.at(place);
      const client = await scene.client();
      const first = await scene.call(client, true);
      await scene.say(settings());
      const stream = scene.stream;
      const second = await scene.call(client, true);
      const long = "d".repeat(limits.responseTrailerBytesMax + 1);
      await scene.say(
        headers(stream, grpcHead, false),
        data(stream, "x"),
        ...split(headers(stream, [...ok, ["x-long", long]])),
      );
      if (place === "another machine") expect(first.failure?.reset).toBe(errorCodes.enhanceYourCalm);
      else expect(first.trailers?.[0]).toEqual(["grpc-status", "8"]);
      await scene.say(headers(scene.stream, grpcHead, false), headers(scene.stream, ok));
      expect([second.failure, second.trailers]).toEqual([null, [["grpc-status", "0"]]]);
    });

    test("whose head is over the limit has exhausted what there is, and its other calls go on", async () => {
      const scene = await Scene.at(place);
      const client = await scene.client();
      const first = await scene.call(client, true);
      await scene.say(settings());
      const stream = scene.stream;
      const second = await scene.call(client, true);
      const long = "d".repeat(3 * limits.responseHeadBytesMax);
      await scene.say(...split(headers(stream, [...grpcHead, ["x-long", long]], false)));
      expect([first.answer?.status, first.answer?.fields.get("grpc-status")]).toEqual([200, "8"]);
      await scene.say(headers(scene.stream, grpcHead, false), headers(scene.stream, ok));
      expect([second.failure, second.trailers]).toEqual([null, [["grpc-status", "0"]]]);
    });

    for (const size of [33, 60, 120])
      test(`hears nothing of a request whose head has ${size} kB, which fails alone`, async () => {
        const scene = await Scene.at(place);
        const client = await scene.client();
        const first = await scene.call(client, true);
        await scene.say(settings());
        const heads = scene.app.of(frameTypes.headers).length;
        // The fields that tell what it is come behind those that are too much.
        const long = [`x-long: ${"l".repeat(size * 1024)}`];
        const tooLong = await scene.call(client, true, "POST", long);
        const plain = await scene.call(client, false, "POST", long);
        const { fields } = tooLong.answer ?? {};
        expect([tooLong.answer?.whole, fields?.get("grpc-status")]).toEqual([true, "8"]);
        expect(fields?.get("grpc-message")).toContain("too large");
        expect(plain.answer?.status).toBe(431);
        expect(scene.app.of(frameTypes.headers).length).toBe(heads);
        await scene.say(headers(scene.stream, grpcHead, false), headers(scene.stream, ok));
        expect([first.failure, first.trailers]).toEqual([null, [["grpc-status", "0"]]]);
      });

    test("whose client sends a head of many times the limit serves it no more", async () => {
      const scene = await Scene.at(place);
      const client = await scene.client();
      const long = "l".repeat(limits.h2HeadExcessMax * limits.requestHeadBytesMax);
      const { failure } = await scene.call(client, true, "POST", [`x-long: ${long}`]);
      expect(failure?.detail).toContain("ENHANCE_YOUR_CALM");
    });

    describe("keeps on the wire", () => {
      const last = (peer: H2Peer, stream: number): Frame[] =>
        peer.frames.filter(
          ({ type, streamId }) =>
            streamId === stream && (type === frameTypes.headers || type === frameTypes.data),
        );
      const ends = (frames: readonly Frame[]): (string | number)[][] =>
        frames.map(({ type, flags, payload }) => [
          type === frameTypes.data ? payload.length : "head",
          flags & frameFlags.endStream,
        ]);

      async function pass(question: readonly Uint8Array[], answer: (stream: number) => Uint8Array[]) {
        const scene = await Scene.at(place);
        const dialled = dialPeer({ net: scene.net } as never, scene.port);
        await scene.net.settle();
        const client = await dialled;
        client.send(opening, ...question);
        await scene.net.settle();
        await scene.say(settings(), ...answer(scene.stream));
        return { asked: ends(last(scene.app, scene.stream)), answered: ends(last(client, 1)) };
      }

      const question: FieldList = getFields.map(([name, value]) =>
        name === ":method" ? [name, "POST"] : name === ":authority" ? [name, "web.mesh"] : [name, value],
      );

      test("a head that ends its stream", async () => {
        const { asked, answered } = await pass([headers(1, question)], (stream) => [
          headers(stream, [...grpcHead, ...ok]),
        ]);
        expect([asked, answered]).toEqual([[["head", 1]], [["head", 1]]]);
      });

      test("a long head that ends its stream", async () => {
        const long: FieldList = [
          ["x-long", "l".repeat(15_000)],
          ["x-longer", "m".repeat(15_000)],
        ];
        const { answered } = await pass([headers(1, question)], (stream) =>
          split(headers(stream, [...grpcHead, ...ok, ...long])),
        );
        expect(answered).toEqual([["head", 1]]);
      });

      test("a head and the empty DATA that ends its stream", async () => {
        const { asked, answered } = await pass([headers(1, question, false), data(1, "", true)], (stream) => [
          headers(stream, grpcHead, false),
          data(stream, "", true),
        ]);
        const both = [
          ["head", 0],
          [0, 1],
        ];
        expect([asked, answered]).toEqual([both, both]);
      });

      test("a head, a body and its end", async () => {
        const { asked, answered } = await pass(
          [headers(1, question, false), data(1, "abc", true)],
          (stream) => [headers(stream, plainHead, false), data(stream, "de", true)],
        );
        expect([asked, answered]).toEqual([
          [
            ["head", 0],
            [3, 1],
          ],
          [
            ["head", 0],
            [2, 1],
          ],
        ]);
      });
    });
  });

const frameBytes = 16_384;

/** A long HEADERS frame as HEADERS and CONTINUATION. */
function split(whole: Uint8Array): Uint8Array[] {
  const flags = whole[4] as number;
  const id = ((whole[7] as number) << 8) | (whole[8] as number);
  const payload = whole.subarray(9);
  const pieces: Uint8Array[] = [];
  for (let at = 0; at < payload.length; at += frameBytes) {
    const end = at + frameBytes >= payload.length ? frameFlags.endHeaders : 0;
    const type = at === 0 ? frameTypes.headers : frameTypes.continuation;
    const own = at === 0 ? flags & ~frameFlags.endHeaders : 0;
    pieces.push(frame(type, own | end, id, payload.subarray(at, at + frameBytes)));
  }
  return pieces;
}
