/** Which HTTP listeners stand for the services of a machine, several of which may be instances of one. */
import { describe, expect, test } from "bun:test";
import type { MachineService } from "../../../../src/model/document.ts";
import { httpPortAt } from "../../../../src/proxy/listen/outbound_listeners.ts";

const local = (name: string, port: number, httpPort: number | null = null): MachineService => ({
  service: { name, namespace: "default" },
  host: "127.0.0.1",
  port,
  proxyProtocol: null,
  health: null,
  labels: {},
  upstreams: [],
  weight: 1,
  httpPort,
});
const portsOf = (services: readonly MachineService[], first: number) =>
  services.map((_, at) => httpPortAt(services, at, first));

describe("HTTP listeners of a machine", () => {
  test("stand one for each service, at one port after the other", () => {
    const services = [local("web", 1), local("orders", 2), local("users", 3)];
    expect(portsOf(services, 7480)).toEqual([7480, 7481, 7482]);
  });

  test("stand once for all instances of a service", () => {
    const services = [local("web", 1), local("web", 2), local("orders", 3), local("web", 4)];
    expect(portsOf(services, 7480)).toEqual([7480, null, 7481, null]);
    expect(portsOf(services, 0)).toEqual([0, null, 0, null]);
  });

  test("stand at the port that is written, of each instance that says one", () => {
    expect(portsOf([local("web", 1, 90), local("web", 2, 91), local("web", 3)], 7480)).toEqual([
      90,
      91,
      null,
    ]);
  });
});
