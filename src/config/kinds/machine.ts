/** `kind: Machine`: the one document that stays on its machine: what runs there and what it may reach. */
import * as v from "valibot";
import type { Interception, MachineDocument, MachineService, Upstream } from "../../model/document.ts";
import { limits } from "../../model/limits.ts";
import { labelBytesOf, serviceKey } from "../../model/service.ts";
import { flag, labels, list, name, object, port, resolveService, said, serviceName } from "../fields.ts";
import type { Report } from "../issue_at.ts";
import { defineKind } from "../kind.ts";
import { expandHealth, machineHealth } from "../parts/health.ts";
import type { Path } from "../yaml_file.ts";

const host = v.pipe(
  v.string("an address such as 10.0.0.12"),
  v.regex(/^[A-Za-z0-9.:-]{1,253}$/, "an address such as 10.0.0.12"),
);
const bind = v.pipe(
  v.string("address:port such as 127.0.0.1:9001"),
  v.check(isBind, "address:port such as 127.0.0.1:9001"),
);
/** What the registry takes of an instance. */
const instanceLabels = v.pipe(
  labels,
  v.check((all) => Object.keys(all).length <= limits.labelsMax, `at most ${limits.labelsMax} labels`),
  v.check(
    (all) => labelBytesOf(all) <= limits.labelBytesMax,
    `labels of at most ${limits.labelBytesMax} bytes in all`,
  ),
);
const unitForm = "the name of a systemd service such as orders.service";
const unit = v.pipe(
  v.string(unitForm),
  v.regex(/^[A-Za-z0-9:_.\\@-]{1,240}\.service$/, unitForm),
  v.check((name) => !name.endsWith("@.service"), "an instance of the template, such as orders@1.service"),
);
const weightForm = `a whole number from 1 to ${limits.instanceWeightMax}`;
const weight = v.pipe(
  v.number(weightForm),
  v.integer(weightForm),
  v.minValue(1, weightForm),
  v.maxValue(limits.instanceWeightMax, weightForm),
);
const interception = object({
  outbound: v.optional(
    said(
      v.picklist(["mesh", "all"], "mesh or all"),
      "Which of its connections go through the proxy: those to virtual addresses of services, or all that leave the machine (default: mesh)",
    ),
  ),
  inbound: v.optional(
    said(
      v.picklist(["audit", "enforce"], "audit or enforce"),
      "Other machines that call its port in clear text, around the mesh, are counted and named, or refused too (default: audit)",
    ),
  ),
  strict: v.optional(
    said(
      flag,
      "Its rules stand while the proxy does not run, too: it is cut off then, rather than outside of the mesh (default: false)",
    ),
  ),
});
const upstream = object({
  service: said(serviceName, "Service that is called through it"),
  bind: v.optional(
    said(
      bind,
      "Address and port of loopback that lead to it (default: by name alone, through the outbound listener)",
    ),
  ),
  proxyProtocol: v.optional(said(flag, "Each connection begins with a PROXY header (default: false)")),
});
const machineService = object({
  service: said(serviceName, "Service that it is an instance of"),
  host: v.optional(said(host, "Address that the app listens on (default: 127.0.0.1)")),
  port: v.optional(said(port, "Port that the app listens on; this or ports must be there")),
  ports: v.optional(
    said(
      list(port, limits.instancesPerServiceMax, 1),
      "Ports of several instances that are alike otherwise, such as worker processes",
    ),
  ),
  unit: v.optional(
    said(unit, "systemd service that the app runs in (heddle attach writes it; default: none)"),
  ),
  intercept: v.optional(
    said(
      interception,
      "Traffic of its unit is taken into the mesh without its doing (heddle attach --intercept writes it; default: it is not)",
    ),
  ),
  httpPort: v.optional(
    said(
      port,
      "Port of its HTTP outbound listener on loopback (default: the next from 7480 on; none for a further instance of a service)",
    ),
  ),
  health: v.optional(
    said(machineHealth, "How it is probed (default: as its service says, else by a TCP connect)"),
  ),
  labels: v.optional(said(instanceLabels, "Labels of this instance, for subsets: {version: v1}")),
  weight: v.optional(
    said(weight, "Its share beside other instances of the service: 2 gets twice as much as 1 (default: 1)"),
  ),
  proxyProtocol: v.optional(
    said(
      v.picklist(["v1", "v2"], "v1 or v2"),
      "The app is told its caller by a PROXY header (default: it is not)",
    ),
  ),
  upstreams: v.optional(
    said(list(upstream, limits.upstreamsMax), "Services that this one calls by a port of their own"),
  ),
});

const callingUnit = object({
  unit: said(unit, "systemd service that calls"),
  service: said(serviceName, "Service as which it calls"),
  intercept: v.optional(
    said(interception, "Its traffic is taken into the mesh without its doing (default: it is not)"),
  ),
});

const schema = object({
  kind: v.literal("Machine"),
  name: v.optional(said(name, "Name of the machine in the mesh (default: its host name)")),
  address: v.optional(
    said(host, "Address at which other machines reach it (default: the one that the controller sees)"),
  ),
  zone: v.optional(
    said(
      name,
      "Where it stands, such as eu-1a: calls go to instances of their own zone first (default: nowhere)",
    ),
  ),
  region: v.optional(
    said(name, "What its zone is a part of, such as eu-1: other zones of it come next (default: nowhere)"),
  ),
  network: v.optional(
    said(
      name,
      "Network whose machines reach one another; those of others come in by its gateways (passthrough: mesh) (default: none has a name)",
    ),
  ),
  caller: v.optional(
    said(
      serviceName,
      "Which of its services calls where that cannot be told: whoever connects to a virtual address, as curl http://orders.mesh/ does (default: the only one; where units are attached, they and root's login alone)",
    ),
  ),
  keepFree: v.optional(
    said(
      list(port, limits.upstreamsMax),
      "Ports that no virtual address takes, because an app of this machine wants them on all addresses: [9000] (default: those that are seen to be held there, and those of units)",
    ),
  ),
  callers: v.optional(
    said(
      list(callingUnit, limits.servicesPerNodeMax),
      "Units that only call, each as a service: [{unit: report.service, service: report}] (heddle attach writes it for a job that ends)",
    ),
  ),
  gateways: v.optional(
    said(
      list(serviceName, limits.servicesPerNodeMax),
      "Gateways that run on it, each with the identity of its name: [edge]",
    ),
  ),
  services: v.optional(
    said(
      list(machineService, limits.servicesPerNodeMax),
      "Services that run on it; instances of one that are not alike stand here one by one",
    ),
  ),
});

type Written = v.InferOutput<typeof schema>;
type WrittenService = v.InferOutput<typeof machineService>;

function isBind(text: string): boolean {
  const found = /^(?:\d{1,3}(?:\.\d{1,3}){3}|\[[0-9a-f:]+\]|localhost):(\d{1,5})$/.exec(text);
  const number = Number(found?.[1] ?? 0);
  return number >= 1 && number <= 65_535;
}

function expand(written: Written): MachineDocument {
  return {
    kind: "Machine",
    name: written.name ?? "",
    address: written.address ?? null,
    zone: written.zone ?? "",
    region: written.region ?? "",
    ...(written.network === undefined ? {} : { network: written.network }),
    services: (written.services ?? []).flatMap(expandService),
    ...(written.keepFree === undefined ? {} : { keepFree: written.keepFree }),
    ...(written.callers === undefined
      ? {}
      : {
          callers: written.callers.map((each) => ({
            unit: each.unit,
            service: resolveService(each.service),
            ...expandInterception(each.intercept),
          })),
        }),
    ...(written.gateways === undefined
      ? {}
      : { gateways: written.gateways.map((each) => resolveService(each)) }),
    ...(written.caller === undefined ? {} : { caller: resolveService(written.caller) }),
  };
}

/** What stands for a service stands once for all of its instances. */
function expandService(written: WrittenService): MachineService[] {
  return portsOf(written).map((port, at) => {
    const instance = expandInstance(written, port);
    return at === 0 ? instance : { ...instance, httpPort: null, upstreams: [] };
  });
}

function portsOf({ port, ports = [] }: WrittenService): readonly number[] {
  return port === undefined ? ports : [port, ...ports];
}

function expandInstance(written: WrittenService, port: number): MachineService {
  const service = resolveService(written.service);
  return {
    service,
    host: written.host ?? "127.0.0.1",
    port,
    health: expandHealth(written.health),
    labels: written.labels ?? {},
    weight: written.weight ?? 1,
    httpPort: written.httpPort ?? null,
    ...(written.unit === undefined ? {} : { unit: written.unit }),
    ...expandInterception(written.intercept),
    proxyProtocol: written.proxyProtocol === undefined ? null : written.proxyProtocol === "v1" ? 1 : 2,
    upstreams: (written.upstreams ?? []).map((each): Upstream => {
      const target = resolveService(each.service, service.namespace);
      const proxyProtocol = each.proxyProtocol ?? false;
      return { service: target, ...expandBind(each.bind), proxyProtocol };
    }),
  };
}

function expandInterception(written: v.InferOutput<typeof interception> | undefined): {
  readonly intercept?: Interception;
} {
  if (written === undefined) return {};
  const { outbound = "mesh", inbound = "audit", strict = false } = written;
  return { intercept: { outbound, inbound, ...(strict ? { strict } : {}) } };
}

function expandBind(bind: string | undefined): { host: string; port: number | null } {
  if (bind === undefined) return { host: "127.0.0.1", port: null };
  const colon = bind.lastIndexOf(":");
  const host = bind.slice(0, colon).replace(/^\[|\]$/g, "");
  return { host: host === "localhost" ? "127.0.0.1" : host, port: Number(bind.slice(colon + 1)) };
}

function check(written: Written, report: Report): void {
  const all = [...(written.services ?? []), ...(written.callers ?? [])];
  const keys = all.map(({ service }) => serviceKey(resolveService(service)));
  if (written.caller !== undefined && !keys.includes(serviceKey(resolveService(written.caller))))
    report(["caller"], `${written.caller} is none of the services of this machine`);
  const apps: string[] = [];
  const binds = new Map<string, string>();
  const claim: Claim = (address, path, what) => {
    const before = binds.get(address);
    if (before !== undefined) report(path, `${address} is already used by ${before}`);
    else binds.set(address, what);
  };
  (written.services ?? []).forEach((service, at) => {
    const path: Path = ["services", at];
    checkPorts(service, path, apps, report);
    if (service.intercept !== undefined && service.unit === undefined)
      report([...path, "intercept"], "this needs the unit whose traffic it is: unit: NAME.service", {
        key: true,
      });
    if (service.httpPort !== undefined)
      claim(`127.0.0.1:${service.httpPort}`, [...path, "httpPort"], `httpPort of ${service.service}`);
    checkUpstreams(service, path, claim, report);
  });
}

/** `apps`: what stands before it, to which it adds its own. */
function checkPorts(service: WrittenService, path: Path, apps: string[], report: Report): void {
  const prefix = `${serviceKey(resolveService(service.service))}:`;
  const own = portsOf(service);
  if (own.length === 0)
    report([...path, "port"], "this field is missing, expected a port from 1 to 65535, or ports");
  own.forEach((port, at) => {
    const field: Path =
      service.port !== undefined && at === 0
        ? ["port"]
        : ["ports", at - (own.length - (service.ports?.length ?? 0))];
    if (apps.includes(`${prefix}${port}`))
      report(
        [...path, ...field],
        `an instance of ${service.service} with port ${port} stands here already: each has a port of its own`,
      );
    apps.push(`${prefix}${port}`);
  });
  const alike = apps.filter((app) => app.startsWith(prefix)).length;
  if (alike > limits.instancesPerServiceMax)
    report(
      path,
      `a machine runs at most ${limits.instancesPerServiceMax} instances of a service (instancesPerServiceMax)`,
    );
  else if (apps.length > limits.instancesPerNodeMax && apps.length - own.length <= limits.instancesPerNodeMax)
    report(
      path,
      `a machine runs at most ${limits.instancesPerNodeMax} instances in all (instancesPerNodeMax)`,
    );
}

/** Takes an address for what is named, or says who has it. */
type Claim = (address: string, path: Path, what: string) => void;

function checkUpstreams(service: WrittenService, around: Path, claim: Claim, report: Report): void {
  (service.upstreams ?? []).forEach(({ service: called, bind, proxyProtocol }, index) => {
    const path: Path = [...around, "upstreams", index];
    if (bind === undefined) {
      if (proxyProtocol === true)
        report([...path, "proxyProtocol"], "this needs a port of its own: bind", { key: true });
      return;
    }
    claim(bind, [...path, "bind"], `${service.service} for ${called}`);
    if (/^(?:127\.|\[::1\]|localhost)/.test(bind)) return;
    const message = `whoever reaches ${bind} acts as ${service.service}: bind a loopback address`;
    report([...path, "bind"], message, { code: "HED0163" });
  });
}

const example = `kind: Machine
name: vm-3
services:
  - service: web
    port: 8081
    health: {http: /healthz}
    labels: {version: v1}
    upstreams: [{service: orders, bind: "127.0.0.1:9001"}]`;

export const machine = defineKind({
  name: "Machine",
  words: "What runs on a machine and what it may call; it stays on that machine (heddle join --machine FILE)",
  example,
  schema,
  expand,
  check,
});
