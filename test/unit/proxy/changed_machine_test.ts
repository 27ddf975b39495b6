/** What runs on a machine changes while its proxy runs: what is open stays open, and what went gets nothing new. */
import { expect, test } from "bun:test";
import type { Socket } from "../../../runtime/contract.ts";
import { MemoryApp, MemoryCall } from "../../support/memory_http.ts";
import { MemoryNet } from "../../support/memory_net.ts";
import { Planes } from "../../support/planes.ts";
import { bytesOf } from "../../support/wire.ts";

test("an exchange goes on through apps that come and go, and ends at the app that has it", async () => {
  const net = new MemoryNet();
  const held: Socket[] = [];
  const [first, second] = [0, 1].map(
    () => new MemoryApp(net, { at: (step, socket) => void (step === "whole" && held.push(socket)) }),
  ) as [MemoryApp, MemoryApp];
  const answer = async (): Promise<void> => {
    held.shift()?.write(bytesOf("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"));
    await net.settle();
  };
  const planes = await Planes.inMemory(
    net,
    { name: "a", services: { caller: { app: 9, upstreams: ["web"] } } },
    { name: "b", services: { web: { app: first.port } } },
  );
  planes.apply({ caller: {}, web: {} });
  const port = planes.machine("a").port("caller", "web");
  const call = async (): Promise<MemoryCall> => {
    const made = new MemoryCall(net, port, ["GET /x HTTP/1.1\r\nhost: web.mesh\r\n\r\n"]);
    await net.settle();
    return made;
  };
  const { plane } = planes.machine("b");
  const { machine } = plane.options;
  const [web] = machine.services;
  if (web === undefined) throw new Error("b runs nothing");
  const ports = (): readonly number[] | undefined =>
    plane.state?.locals.get("web.default")?.apps.map((app) => app.port);

  const before = await call();
  plane.changeMachine({ ...machine, services: [web, { ...web, port: second.port }] });
  expect(ports()).toEqual([first.port, second.port]);
  await answer();
  expect(before.answer.status).toBe(200);

  const asked = second.requests.length;
  const during = await call();
  const [busy, idle] = second.requests.length > asked ? [second, first] : [first, second];
  const connections = net.connections;
  plane.changeMachine({ ...machine, services: [{ ...web, port: idle.port }] });
  expect(ports()).toEqual([idle.port]);
  await answer();
  expect(during.answer.status).toBe(200);
  expect(net.connections).toBe(connections);

  const seen = [busy, idle].map(({ requests }) => requests.length);
  const after = await call();
  await answer();
  expect(after.answer.status).toBe(200);
  expect([busy, idle].map(({ requests }, at) => requests.length - (seen[at] ?? 0))).toEqual([0, 1]);
});
