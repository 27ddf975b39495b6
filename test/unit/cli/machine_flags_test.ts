/** What the flags of init and join say of a machine, as the document that they stand for. */
import { describe, expect, test } from "bun:test";
import { Command } from "commander";
import { createRuntime } from "../../../runtime/bun/runtime.ts";
import { readMachine } from "../../../src/app/machine_document.ts";
import { machineText, withMachineFlags, type MachineFlags } from "../../../src/cli/machine_flags.ts";

const { files } = createRuntime();
const place = { node: "vm-1", address: null, loopback: "127.0.0.1" };

async function machineOf(...flags: readonly string[]) {
  const command = withMachineFlags(new Command()).parse(flags, { from: "user" });
  return readMachine(await machineText(files, command.opts<MachineFlags>(), place));
}

describe("the flags of a machine", () => {
  test("name several instances of its service by a port for each", async () => {
    const { services } = await machineOf("--service", "web", "--port", "8080", "--port", "8081");
    expect(services.map(({ port }) => port)).toEqual([8080, 8081]);
  });

  test("say where it stands", async () => {
    const machine = await machineOf(
      ...["--service", "web", "--port", "8080", "--zone", "eu-1a", "--region", "eu-1"],
    );
    expect([machine.zone, machine.region]).toEqual(["eu-1a", "eu-1"]);
  });

  test("name the gateways that it runs, alone or beside its service, and where it stands", async () => {
    const edge = await machineOf("--gateway", "edge", "--gateway", "inner.prod", "--zone", "eu-1a");
    expect([edge.gateways, edge.services, edge.zone]).toEqual([
      [
        { name: "edge", namespace: "default" },
        { name: "inner", namespace: "prod" },
      ],
      [],
      "eu-1a",
    ]);
    const both = await machineOf("--gateway", "edge", "--service", "web", "--port", "8080");
    expect([both.gateways?.length, both.services.length]).toEqual([1, 1]);
    await expect(machineOf("--gateway", "edge", "--port", "80")).rejects.toThrow("Cannot tell which service");
    await expect(machineOf("--gateway", "edge", "--machine", import.meta.path)).rejects.toThrow(
      "Cannot take both --machine and --gateway",
    );
  });

  test("are refused where nobody can tell which service they are about, or a file says the same", async () => {
    await expect(machineOf("--zone", "eu-1a")).rejects.toThrow("Cannot tell which service");
    await expect(machineOf("--machine", import.meta.path, "--zone", "eu-1a")).rejects.toThrow(
      "Cannot take both --machine and --zone, --region or --network",
    );
    await expect(machineOf("--machine", import.meta.path, "--network", "east")).rejects.toThrow("--network");
  });
});
