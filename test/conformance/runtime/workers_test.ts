/** Contract of workers: messages both ways, a fault is told, and terminate stops anything. */
import { expect, test } from "bun:test";
import { runtime } from "../../support/runtime_under_test.ts";
import { untilIdle } from "../../support/processor_time.ts";
import { until } from "../../support/sockets.ts";

const entry = "test/support/workers/echo.ts";

function start() {
  const messages: unknown[] = [];
  const endings: string[] = [];
  const worker = runtime.workers.start(entry, {
    message: (message) => void messages.push(message),
    ended: (reason) => void endings.push(reason),
  });
  return { worker, messages, endings };
}

test("messages go both ways, also those sent before it is up", async () => {
  const { worker, messages } = start();
  worker.send({ number: 1 });
  worker.send("two");
  await until(() => messages.length === 2, "both come back");
  expect(messages).toEqual([{ echo: { number: 1 } }, { echo: "two" }]);
  worker.terminate();
});

test("a fault inside is told once", async () => {
  const { worker, messages, endings } = start();
  worker.send("throw");
  await until(() => endings.length > 0, "the end is told");
  expect(endings[0]).toContain("told to throw");
  worker.send("after");
  await new Promise((resolve) => setTimeout(resolve, 50));
  expect(endings.length).toBe(1);
  expect(messages).toEqual([]);
});

test("one that leaves by itself is told", async () => {
  const { worker, endings } = start();
  worker.send("leave");
  await until(() => endings.length > 0, "the end is told");
  worker.terminate();
});

test("terminate stops an endless loop, and nothing is told", async () => {
  const { worker, messages, endings } = start();
  worker.send("loop");
  await until(() => messages.includes("looping"), "it loops");
  const busyBefore = runtime.process.usage().cpuUs;
  worker.terminate();
  await untilIdle([runtime.process.pid], 0.5);
  expect(runtime.process.usage().cpuUs).toBeGreaterThan(busyBefore);
  expect(endings).toEqual([]);
});

test("a module that is not there ends the worker", async () => {
  const endings: string[] = [];
  runtime.workers.start("test/support/workers/absent.ts", {
    message: () => {},
    ended: (reason) => void endings.push(reason),
  });
  await until(() => endings.length === 1, "the end is told");
  expect(endings[0]).toContain("absent.ts");
});
