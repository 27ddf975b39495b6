/** Ports of one machine that two would have. */
import { expect, test } from "bun:test";
import { requireUsablePorts } from "../../../src/app/machine_ports.ts";
import type { Settings } from "../../../src/app/settings.ts";
import { loadMachine } from "../../../src/config/load.ts";
import { limits } from "../../../src/model/limits.ts";
import { ports } from "../../../src/model/ports.ts";

const settings: Settings = {
  format: 1,
  trustDomain: "mesh.test",
  node: "vm-1",
  address: "10.0.0.1",
  loopback: "127.0.0.1",
  ports: { inbound: ports.inbound, outboundFirst: ports.outboundFirst, admin: ports.admin },
  controllers: [{ host: "10.0.0.9", port: 7443 }],
  registries: [{ host: "10.0.0.9", port: 7444 }],
  modes: ["proxy"],
  leafMs: 3_600_000,
};

function check(services: string): void {
  const { machine } = loadMachine("machine.yaml", `{kind: Machine, name: vm-1, services: [${services}]}`);
  if (machine === null) throw new Error("That is no Machine document");
  requireUsablePorts(settings, machine);
}

test("an app may not have a port to which connections of an intercepted unit are redirected", () => {
  const last = ports.redirected + limits.redirectedPorts - 1;
  const app = `{service: web, port: ${last}}`;
  expect(() => check(app)).not.toThrow();
  expect(() => check(`${app}, {service: job, port: 80, unit: job.service, intercept: {}}`)).toThrow(
    `Cannot use port ${last} twice: for the app of web.default (127.0.0.1:${last}) and for connections of intercepted units (127.0.0.1:${last})`,
  );
});
