/** The stream over a Bun socket, fed by hand with what Bun may do at any time. */
import { expect, test } from "bun:test";
import fc from "fast-check";
import { StreamSocket, type RawSocket } from "../../../runtime/bun/socket.ts";
import { Recorder, until } from "../../support/sockets.ts";

const rethrow = (error: unknown): void => {
  throw error;
};

/** A raw socket that takes everything and, as Bun does, reports a close from inside the call. */
function fed(report = rethrow): { readonly stream: StreamSocket; readonly heard: Recorder } {
  const stream = new StreamSocket({ report, handle() {} });
  const heard = new Recorder();
  const raw = {
    write: (_bytes: Uint8Array, _start: number, length: number) => length,
    pause() {},
    resume() {},
    shutdown() {},
    close: () => stream.onClose(undefined),
    terminate: () => stream.onClose(undefined),
  };
  stream.opened(raw as unknown as RawSocket);
  stream.handler = heard;
  return { stream, heard };
}

const bytes = Uint8Array.of(1, 2, 3);

test("what comes while paused waits, and its buffer may be reused", async () => {
  const { stream, heard } = fed();
  stream.pause();
  const reused = Uint8Array.of(65);
  stream.onData(reused);
  reused[0] = 66;
  stream.onData(reused);
  stream.onEnd();
  stream.shutdown();
  stream.onClose(undefined);
  expect(heard.events).toEqual([]);
  stream.resume();
  await until(() => heard.closed, "it is closed");
  expect(heard.text()).toBe("AB");
  expect(heard.events).toEqual(["data", "end", "close"]);
});

test("destroy while something waits drops it and closes", async () => {
  const { stream, heard } = fed();
  stream.pause();
  stream.onData(bytes);
  stream.shutdown();
  stream.onClose(undefined);
  stream.destroy();
  expect(heard.events).toEqual([]);
  await until(() => heard.closed, "it is closed");
  expect(heard.events).toEqual(["close"]);
});

test("destroy inside data ends it there, whatever else was read already", async () => {
  const { stream, heard } = fed();
  heard.data = () => {
    heard.events.push("data");
    stream.destroy();
  };
  stream.onData(bytes);
  stream.onData(bytes);
  stream.onEnd();
  await until(() => heard.closed, "it is closed");
  expect(heard.events).toEqual(["data", "close"]);
});

test("a handler that throws loses its connection, and the process learns of it", async () => {
  const faults: unknown[] = [];
  const { stream, heard } = fed((error) => void faults.push(error));
  heard.data = () => {
    throw new Error("broken invariant");
  };
  stream.onData(bytes);
  stream.onData(bytes);
  await until(() => heard.closed, "it is closed");
  expect(faults).toEqual([new Error("broken invariant")]);
  expect(heard.events).toEqual(["close"]);
});

test("a reset does not wait for what is held", () => {
  const { stream, heard } = fed();
  stream.pause();
  stream.onData(bytes);
  stream.onClose(Object.assign(new Error("reset"), { code: "ECONNRESET" }));
  expect(heard.events).toEqual(["close reset"]);
});

const steps = [
  "data",
  "drain",
  "end",
  "close",
  "fail",
  "pause",
  "resume",
  "shutdown",
  "destroy",
  "write",
  "turn",
] as const;

test("in whatever order things happen: data, one end at most, one close, nothing after it, nothing lost before an end", async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(fc.constantFrom(...steps), { maxLength: 14 }), async (order) => {
      const { stream, heard } = fed();
      let given = 0;
      let over = false;
      for (const step of order) {
        if (over && ["data", "drain", "end", "close", "fail"].includes(step)) continue;
        if (step === "data") {
          given += bytes.length;
          stream.onData(bytes);
        } else if (step === "drain") stream.onDrain();
        else if (step === "end") stream.onEnd();
        else if (step === "close" || step === "fail") {
          over = true;
          stream.onClose(
            step === "close" ? undefined : Object.assign(new Error("x"), { code: "ECONNRESET" }),
          );
        } else if (step === "write") stream.write(bytes);
        else if (step === "turn") await new Promise((resolve) => setImmediate(resolve));
        else stream[step]();
        if (step === "destroy") over = true;
      }
      if (!over) stream.onClose(undefined);
      stream.resume();
      await until(() => heard.closed, "it is closed");
      await new Promise((resolve) => setImmediate(resolve));
      const kinds = heard.events.map((event) => event.split(" ")[0]);
      expect(kinds.filter((kind) => kind === "close").length).toBe(1);
      expect(kinds.at(-1)).toBe("close");
      expect(kinds.filter((kind) => kind === "end").length).toBeLessThanOrEqual(1);
      const endAt = order.indexOf("end");
      if (kinds.includes("end") && endAt >= 0 && !order.slice(endAt).includes("data")) {
        expect(heard.received).toBe(given);
      }
    }),
    { numRuns: 2_000 },
  );
});
