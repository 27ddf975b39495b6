/** A gateway of one machine on a network in memory, whose listeners answer by themselves, and callers from outside. */
import type { GatewayListener } from "../../src/model/gateway.ts";
import { MemoryNet } from "./memory_net.ts";
import { hangMs } from "./patience.ts";
import { named, Planes, type DestinationPlan } from "./planes.ts";
import { bytesOf, textOf } from "./wire.ts";

/** What every listener says. */
export const at = { address: "127.0.0.1", connectionsMax: 100, certificates: [] } as const;

/** Answers with its own name, so that it is seen which routes a request met. */
function answering(name: string): DestinationPlan {
  return {
    routes: [
      {
        ...{ name, match: { path: { type: "PathPrefix", value: "/" }, method: null, headers: [] } },
        ...{ requestTimeoutMs: null, idempotent: false, backends: [], policies: [] },
        filters: { respond: { status: 200, headers: [], body: name } },
      },
    ],
  };
}

export interface Asked {
  readonly port: number;
  /** Server name; absent: in clear text. */
  readonly tls?: string;
  /** Address of the client; default: 127.0.0.1. */
  readonly from?: string;
}

export class GatewayScene {
  readonly net = new MemoryNet();
  readonly files = new Map<string, Uint8Array>();
  planes!: Planes;

  static async start(): Promise<GatewayScene> {
    const scene = new GatewayScene();
    scene.planes = await Planes.inMemory(scene.net, {
      ...{ name: "vm", services: { edge: { app: 1 } } },
      gateways: [named("edge")],
      files: { readSync: (path) => scene.files.get(path) ?? null },
    });
    return scene;
  }

  /** Certificate files of that name, for those names. */
  async certify(file: string, ...dns: readonly string[]): Promise<{ certificate: string; key: string }> {
    const { chainPem, keyPem } = await this.planes.authority.issue({ dns, ...this.planes.validity });
    this.files.set(`/${file}.pem`, bytesOf(chainPem));
    this.files.set(`/${file}.key`, bytesOf(keyPem));
    return { certificate: `/${file}.pem`, key: `/${file}.key` };
  }

  apply(...listeners: readonly GatewayListener[]): void {
    const machine = this.planes.machine("vm");
    const routes = listeners.map(({ name, protocol }) => {
      const spoken = protocol === "tls" ? "tls" : "http";
      return [`edge:${name}`, { ...answering(name), protocol: spoken }] as const;
    });
    const snapshot = this.planes.snapshot(machine, { edge: {}, ...Object.fromEntries(routes) });
    machine.plane.apply({ ...snapshot, gateways: [{ service: named("edge"), listeners }] });
  }

  /** A connection that stays open. null: it was refused. */
  async open({ port, tls, from }: Asked): Promise<Outsider | null> {
    const outsider = new Outsider(this.net);
    this.net.connect(
      {
        ...{ host: "127.0.0.1", port, timeoutMs: hangMs },
        ...(from === undefined ? {} : { localAddress: from }),
        ...(tls === undefined
          ? {}
          : {
              tls: {
                ...{ trustPem: this.planes.roots, alpn: ["http/1.1"], serverName: tls, verify: "chain" },
                ...{ accept: () => null, handshakeTimeoutMs: hangMs },
              },
            }),
      },
      {
        opened: (socket) => {
          outsider.socket = socket;
          return outsider;
        },
        failed() {},
      },
    );
    await this.net.settle();
    return outsider.socket === null || outsider.gone ? null : outsider;
  }

  async ask(asked: Asked, host: string, path = "/"): Promise<string> {
    const outsider = await this.open(asked);
    return outsider === null ? "refused" : await outsider.ask(host, path);
  }
}

export class Outsider {
  socket: { write(bytes: Uint8Array): number; destroy(): void } | null = null;
  gone = false;
  /** What came since it last asked. */
  text = "";

  constructor(readonly net: MemoryNet) {}

  data(chunk: Uint8Array): void {
    this.text += textOf(chunk);
  }

  drain(): void {}

  end(): void {
    this.gone = true;
  }

  close(): void {
    this.gone = true;
  }

  send(bytes: Uint8Array): void {
    this.socket?.write(bytes);
  }

  write(text: string): void {
    this.send(bytesOf(text));
  }

  /** Status, and the body where it is that of a route. */
  async ask(host: string, path = "/"): Promise<string> {
    this.text = "";
    this.write(`GET ${path} HTTP/1.1\r\nhost: ${host}\r\n\r\n`);
    await this.net.settle();
    if (this.text === "") return "refused";
    const [head = "", body = ""] = this.text.split("\r\n\r\n");
    const status = head.split(" ")[1] ?? "";
    return status === "200" ? `200 ${body}`.trim() : status;
  }
}
