/** Which proxies of one state folder may stand beside each other: one that ends, and one that follows it. */
import { afterAll, beforeEach, expect, test } from "bun:test";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import type { Listener, UdpSocket } from "../../../runtime/contract.ts";
import { limits } from "../../../src/model/limits.ts";
import { stateFolder } from "../../../src/app/state_folder.ts";
import { Succession } from "../../../src/app/succession.ts";
import { runtime } from "../../support/planes.ts";
import { Recorder } from "../../support/sockets.ts";

const path = mkdtempSync(`${tmpdir()}/heddle-succession-`);
const folder = stateFolder(path);
const alive = new Set<number>();
const open: Listener[] = [];
const sockets: UdpSocket[] = [];
beforeEach(() => {
  for (const listener of [...open.splice(0), ...sockets.splice(0)]) listener.close();
  rmSync(folder.ending, { force: true });
  alive.clear();
});
afterAll(() => rmSync(path, { recursive: true }));

/** A port that is free now, and the proxies that want it. */
function start() {
  const found = runtime.net.listen({ host: "127.0.0.1", port: 0 }, () => new Recorder());
  const { port } = found;
  found.close();
  const proxy = (pid: number) => {
    alive.add(pid);
    const process = { ...runtime.process, pid, residentBytesOf: (of: number) => (alive.has(of) ? 1 : null) };
    const succession = new Succession({ ...runtime, process }, folder);
    const listen = async (): Promise<string> => {
      await succession.follow();
      try {
        open.push(succession.net.listen({ host: "127.0.0.1", port }, () => new Recorder()));
        return "listens";
      } catch (error) {
        return (error as Error).name;
      }
    };
    const datagrams = async (): Promise<string> => {
      try {
        sockets.push(await succession.net.udp({ host: "127.0.0.1", port }, () => {}));
        return "listens";
      } catch {
        return "refused";
      }
    };
    return { succession, listen, datagrams };
  };
  return { proxy };
}

test("a second one that means to stay finds the ports taken", async () => {
  const { proxy } = start();
  expect(await proxy(1).listen()).toBe("listens");
  expect(await proxy(2).listen()).toBe("ListenError");
});

test("one that ends has one successor beside it, and another one when that is gone", async () => {
  const { proxy } = start();
  const first = proxy(1);
  await first.listen();
  await first.succession.begin();
  expect(await proxy(2).listen()).toBe("listens");
  expect(await proxy(3).listen()).toBe("ListenError");
  alive.delete(2);
  expect(await proxy(4).listen()).toBe("listens");
});

test("a successor that ends too has a successor, whether or not the first is gone", async () => {
  const { proxy } = start();
  const [first, second] = [proxy(1), proxy(2)];
  await first.listen();
  await first.succession.begin();
  await second.listen();
  await second.succession.begin();
  await first.succession.end();
  expect(await proxy(3).listen()).toBe("listens");
  await second.succession.end();
  expect(await runtime.files.read(folder.ending)).toBeNull();
});

test("one that ends waits for the successor that has started until it serves or is gone, and for nobody else", async () => {
  const { proxy } = start();
  const [first, second, third] = [proxy(1), proxy(2), proxy(3)];
  const followed = async (): Promise<string> => {
    const late = new Promise<string>(
      (done) => void setTimeout(() => done("waits"), 3 * limits.successorLookMs),
    );
    return await Promise.race([first.succession.followed().then(() => "may leave"), late]);
  };
  await first.listen();
  await first.succession.begin();
  expect(await followed()).toBe("may leave");
  await second.listen();
  expect(await followed()).toBe("waits");
  alive.delete(2);
  expect(await followed()).toBe("may leave");
  await third.listen();
  expect(await followed()).toBe("waits");
  await third.succession.stand();
  expect(await followed()).toBe("may leave");
  // The successor ends, too: who follows that one is its business.
  await third.succession.begin();
  expect(await followed()).toBe("may leave");
});

test("what a proxy left that is gone, or what is damaged, lets nobody stand beside another", async () => {
  const { proxy } = start();
  const first = proxy(1);
  expect(await first.listen()).toBe("listens");
  for (const left of ['{"ending":7,"successor":null}', '{"ending":"1"}', "1", "null", "", "{"]) {
    writeFileSync(folder.ending, left);
    expect([left, await proxy(2).listen()]).toEqual([left, "ListenError"]);
  }
});

test("of datagrams the same holds: a successor hears them beside the one that ends, another one never", async () => {
  const { proxy } = start();
  const [first, second] = [proxy(1), proxy(2)];
  expect(await first.datagrams()).toBe("listens");
  await second.succession.follow();
  expect(await second.datagrams()).toBe("refused");
  await first.succession.begin();
  await second.succession.follow();
  expect(await second.datagrams()).toBe("listens");
});
