/**
 * The demo's mesh: a small AI platform on three machines. Each machine is a proxy process with a loopback address and a
 * state folder of its own; each service is a process that knows nothing of heddle and calls `http://<service>.mesh/`.
 */

export interface DemoService {
  readonly role: "gateway" | "orchestrator" | "embedding" | "search" | "inference" | "storage";
  readonly port: number;
  readonly version: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly calls: readonly string[];
}

export interface DemoMachine {
  readonly name: string;
  readonly address: string;
  readonly services: readonly DemoService[];
}

function service(
  role: DemoService["role"],
  port: number,
  calls: readonly string[] = [],
  version = "v1",
): DemoService {
  return { role, port, version, labels: { version }, calls };
}

/** Where registry and controller run; shared with the first machine. */
export const controlAddress = "127.77.0.1";

export const demoMachines: readonly DemoMachine[] = [
  {
    name: "vm-1",
    address: "127.77.0.1",
    services: [
      service("gateway", 8001, ["orchestrator"]),
      service("orchestrator", 8002, ["embedding", "search", "inference", "storage"]),
    ],
  },
  {
    name: "vm-2",
    address: "127.77.0.2",
    services: [service("embedding", 8001, ["storage"]), service("search", 8002), service("inference", 8003)],
  },
  {
    name: "vm-3",
    address: "127.77.0.3",
    services: [service("search", 8001), service("inference", 8002, [], "v2"), service("storage", 8003)],
  },
];

/** The outbound HTTP listener of a machine's service: the next port for each, in the order of the document. */
export function outboundPort(machine: DemoMachine, role: string): number {
  return 7480 + machine.services.findIndex((each) => each.role === role);
}

/** The `Machine` document of one machine. */
export function machineDocument(machine: DemoMachine): string {
  const services = machine.services.map((each) =>
    [
      `- service: ${each.role}`,
      `  host: ${machine.address}`,
      `  port: ${each.port}`,
      `  httpPort: ${outboundPort(machine, each.role)}`,
      `  labels: {version: ${each.version}}`,
      `  health: {http: /healthz, every: 500ms}`,
      ...(each.calls.length === 0
        ? []
        : [`  upstreams: [${each.calls.map((name) => `{service: ${name}}`).join(", ")}]`]),
    ].join("\n"),
  );
  return `kind: Machine\nname: ${machine.name}\naddress: ${machine.address}\nservices:\n${services.join("\n")}\n`;
}

/** What operators would apply: protocols, the canary, and who may read the storage. */
export const demoDocuments = `# The demo's mesh. Change a line, save, and watch \`heddle dev\` take it over.
kind: Service
name: gateway
port: 80
protocol: http
---
kind: Service
name: orchestrator
port: 80
protocol: http
---
kind: Service
name: embedding
port: 80
protocol: http
---
kind: Service
name: search
port: 80
protocol: http
balance: ewma
---
kind: Service
name: storage
port: 80
protocol: http
---
kind: Service
name: inference
port: 80
protocol: http
stream: true
subsets:
  v1: {version: v1}
  v2: {version: v2}
policies:
- use: header-route
  with: {header: x-user-group, values: {beta: {service: inference, subset: v2}}}
---
kind: HTTPRoute
name: inference
service: inference
rules:
- match: {path: /}
  split: {inference/v1: 100, inference/v2: 0}
---
kind: Access
name: storage
service: storage
mode: enforce
allow:
- {from: orchestrator, methods: [GET]}
`;
