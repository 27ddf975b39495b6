/** How systemd-resolved is told whom to ask for names of the mesh, and how that is taken back. */
import { expect, test } from "bun:test";
import { applyPlan } from "../../../src/systemd/apply.ts";
import {
  asksResolved,
  isResolverTold,
  resolverRemoval,
  resolverSteps,
} from "../../../src/systemd/resolver.ts";
import { MemoryMachine } from "../../support/memory_machine.ts";

const dns = { host: "127.0.0.1", port: 7453 };
const options = { mark: "/run/heddle.changing", said: () => {} };
const delegate = "/etc/systemd/dns-delegate.d/heddle.dns-delegate";
const routing = "/etc/systemd/resolved.conf.d/heddle.conf";
const reload = "systemctl try-reload-or-restart systemd-resolved.service";
const stub = { "/run/systemd/resolve/stub-resolv.conf": "" };

test("a resolver that knows delegates gets one for mesh alone, and asks it from then on", async () => {
  const machine = new MemoryMachine({});
  await applyPlan(machine, resolverSteps(258, dns), options);
  expect(machine.text(delegate)).toEndWith("\n[Delegate]\nDNS=127.0.0.1:7453\nDomains=mesh\n");
  expect(machine.text(routing)).toBeNull();
  expect(machine.commands).toEqual([reload]);
  expect(await isResolverTold(machine.files)).toBe(true);
});

test("an older one gets a routing domain", async () => {
  const machine = new MemoryMachine({});
  await applyPlan(machine, resolverSteps(257, dns), options);
  expect(machine.text(routing)).toEndWith("\n[Resolve]\nDNS=127.0.0.1:7453\nDomains=~mesh\n");
  expect(machine.text(delegate)).toBeNull();
});

test("it is started again only where its file is another one, and has nothing of ours afterwards", async () => {
  const machine = new MemoryMachine({});
  await applyPlan(machine, resolverSteps(252, dns), options);
  await applyPlan(machine, resolverSteps(252, dns), options);
  expect(machine.commands).toEqual([reload]);
  await applyPlan(machine, resolverRemoval(), options);
  expect(machine.text(routing)).toBeNull();
  expect(machine.commands).toEqual([reload, reload]);
  expect(await isResolverTold(machine.files)).toBe(false);
});

test("a machine asks it only where it runs and the machine's look-ups go to it", async () => {
  const asks = (files: Record<string, string>) => asksResolved(new MemoryMachine(files).files);
  expect(await asks({ ...stub, "/etc/resolv.conf": "# by hand\nnameserver 127.0.0.53\n" })).toBe(true);
  expect(await asks({ ...stub, "/etc/resolv.conf": "nameserver 10.0.0.1\n" })).toBe(false);
  expect(await asks({ "/etc/resolv.conf": "nameserver 127.0.0.53\n" })).toBe(false);
  expect(await asks(stub)).toBe(false);
});
