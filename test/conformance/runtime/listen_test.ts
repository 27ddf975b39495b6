/** Contract of listeners: ports shared only on purpose, a taken one named with its holder, descriptors adopted. */
import { describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { join } from "node:path";
import type { Listener, ListenError, Socket } from "../../../runtime/contract.ts";
import { listeningDescriptor } from "../../support/descriptors.ts";
import { programOf, runtime } from "../../support/runtime_under_test.ts";
import { dial, dialled, type End, listen, until } from "../../support/sockets.ts";
import { hangMs } from "../../support/patience.ts";

function failureOf(work: () => unknown): ListenError {
  try {
    work();
  } catch (error) {
    return error as ListenError;
  }
  throw new Error("It did not fail");
}

describe("a listener", () => {
  test("on a taken port names the process that has it", () => {
    const { listener, port } = listen(runtime);
    const error = failureOf(() => listen(runtime, { port }));
    expect(error.socketError.kind).toBe("in-use");
    expect(error.holder).toContain(`(pid ${runtime.process.pid})`);
    expect(error.message).toContain(`127.0.0.1:${port}`);
    expect(error.message).toContain(`(pid ${runtime.process.pid})`);
    listener.close();
  });

  test("on a taken port names who has it on that address, not who has the same port on another", async () => {
    const { listener, port } = listen(runtime, { host: "127.0.0.2" });
    const [program = "", ...args] = programOf(join(import.meta.dirname, "../../support/holder.ts"));
    const stdio = ["ignore", "pipe", "inherit"] as const;
    const holder = spawn(program, [...args, "127.0.0.3", String(port)], { stdio: [...stdio] });
    await new Promise((resolve) => holder.stdout.once("data", resolve));
    expect(failureOf(() => listen(runtime, { host: "127.0.0.3", port })).holder).toContain(
      `(pid ${holder.pid})`,
    );
    holder.kill("SIGKILL");
    listener.close();
  });

  test("on an address of another machine fails and names it", () => {
    const error = failureOf(() => listen(runtime, { host: "192.0.2.1" }));
    expect(error.holder).toBeNull();
    expect(error.message).toContain("192.0.2.1");
  });

  test("shares its port when both sides ask for it", async () => {
    const one = listen(runtime, { reusePort: true });
    const other = listen(runtime, { reusePort: true, port: one.port });
    const ends = [];
    for (let count = 0; count < 64; count++) {
      ends.push(await dialled(runtime, { host: "127.0.0.1", port: one.port, timeoutMs: hangMs }));
    }
    await until(() => one.accepted.length + other.accepted.length === 64, "all are accepted");
    expect(one.accepted.length).toBeGreaterThan(0);
    expect(other.accepted.length).toBeGreaterThan(0);
    for (const end of ends) end.socket.destroy();
    one.listener.close();
    other.listener.close();
  });

  test("that is closed refuses new connections and keeps the old ones", async () => {
    const { listener, port, accepted } = listen(runtime);
    const client = await dialled(runtime, { host: "127.0.0.1", port, timeoutMs: hangMs });
    await until(() => accepted.length === 1, "it is accepted");
    listener.close();
    expect(await dial(runtime, { host: "127.0.0.1", port, timeoutMs: hangMs })).toMatchObject({
      kind: "refused",
    });
    client.socket.write(new TextEncoder().encode("still"));
    await until(() => accepted[0]?.heard.text() === "still", "bytes arrive");
    client.socket.destroy();
  });

  test("that is closed inside of accept takes no further one: another one on the same port gets the rest", async () => {
    const bound = runtime.ports.bind({ host: "127.0.0.1", port: 0 });
    const ends: End[] = [];
    for (let at = 0; at < 8; at++)
      ends.push(await dialled(runtime, { host: "127.0.0.1", port: bound.port, timeoutMs: hangMs }));
    const got: string[] = [];
    const adopt = (name: string, most: number): Listener => {
      const listener = runtime.net.adopt(runtime.ports.duplicate(bound.descriptor), (socket) => {
        got.push(name);
        if (got.filter((each) => each === name).length === most) listener.close();
        return { data() {}, drain() {}, end: () => socket.shutdown(), close() {} };
      });
      return listener;
    };
    adopt("first", 3);
    await until(() => got.length >= 3, "the first takes what it may");
    const second = adopt("second", 8);
    await until(() => got.length >= 8, "the second takes the rest");
    expect(got).toEqual([...Array(3).fill("first"), ...Array(5).fill("second")]);
    for (const end of ends) end.socket.destroy();
    second.close();
    bound.close();
  });

  test("that is bound and not listened at leaves whoever connects to another one on the port, until it is adopted", async () => {
    const accept = (name: string) => (socket: Socket) => {
      socket.write(new TextEncoder().encode(name));
      return { data() {}, drain() {}, end: () => socket.shutdown(), close() {} };
    };
    const first = runtime.net.listen({ host: "127.0.0.1", port: 0, reusePort: true }, accept("first"));
    const { port } = first;
    const bound = runtime.ports.bind({ host: "127.0.0.1", port, reusePort: true, listens: false });
    const greeted = async (): Promise<string> => {
      const end = await dialled(runtime, { host: "127.0.0.1", port, timeoutMs: hangMs });
      await until(() => end.heard.text() !== "", "it is greeted");
      end.socket.destroy();
      return end.heard.text();
    };
    for (let at = 0; at < 20; at++) expect(await greeted()).toBe("first");
    const second = runtime.net.adopt(runtime.ports.duplicate(bound.descriptor), accept("second"));
    first.close();
    expect(await greeted()).toBe("second");
    second.close();
    bound.close();
  });

  test("takes over a listening descriptor", async () => {
    const bound = listeningDescriptor(runtime, 8);
    let accepted = 0;
    const listener = runtime.net.adopt(bound.descriptor, (socket) => {
      accepted++;
      socket.write(new TextEncoder().encode("adopted"));
      return { data() {}, drain() {}, end: () => socket.shutdown(), close() {} };
    });
    const client = await dialled(runtime, { host: "127.0.0.1", port: bound.port, timeoutMs: hangMs });
    await until(() => client.heard.text() === "adopted", "it answers");
    expect(accepted).toBe(1);
    client.socket.destroy();
    listener.close();
  });
});
