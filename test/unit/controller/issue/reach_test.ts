/** Connecting back to a machine: an answer in words, whatever happens. */
import { expect, test } from "bun:test";
import { createRuntime } from "../../../../runtime/bun/runtime.ts";
import type { DialHandler, Net } from "../../../../runtime/contract.ts";
import { reachMachine } from "../../../../src/controller/issue/reach.ts";
import { listen, until } from "../../../support/sockets.ts";

const runtime = createRuntime();

test("a port that answers is reached, and left alone", async () => {
  const { port, listener, accepted } = listen(runtime);
  expect(await reachMachine(runtime.net, "127.0.0.1", port)).toEqual({
    ok: true,
    cause: null,
    detail: `the controller reached 127.0.0.1:${port}`,
  });
  await until(() => accepted[0]?.heard.ended === true, "it hangs up");
  expect(accepted[0]?.heard.received).toBe(0);
  listener.close();
});

test("a port where nothing listens is told from a firewall", async () => {
  const { port, listener } = listen(runtime);
  listener.close();
  const refused = await reachMachine(runtime.net, "127.0.0.1", port);
  expect(refused).toEqual({
    ok: false,
    cause: "refused",
    detail: `the controller could not reach 127.0.0.1:${port}: nothing listens there yet`,
  });
  const silent: Pick<Net, "connect"> = {
    connect: (_options, dial: DialHandler) => {
      dial.failed({ kind: "timeout", code: "ETIMEDOUT", message: "" });
      return { cancel() {} };
    },
  };
  const dropped = await reachMachine({ ...runtime.net, ...silent }, "10.0.0.9", 7445);
  expect(dropped.cause).toBe("timeout");
  expect(dropped.detail).toContain("a firewall is in between");
});

test("an address that is none is an answer too", async () => {
  const { ok } = await reachMachine(runtime.net, "no-such-host.invalid", 7445);
  expect(ok).toBe(false);
});
