/**
 * The sockets of the DNS server: one of UDP and one listener of TCP at the same place. A place that cannot be had is tried again
 * for as long as this runs. What breaks inside ends as SERVFAIL, never as silence.
 */
import type {
  Clock,
  Listener,
  ListenError,
  Net,
  Socket,
  SocketHandler,
  Timer,
  UdpSocket,
} from "../../runtime/contract.ts";
import { socketAddress } from "../base/socket_address.ts";
import { limits } from "../model/limits.ts";
import { TcpClient } from "./tcp_client.ts";

export interface DnsServerOptions {
  readonly net: Pick<Net, "listen" | "udp">;
  readonly clock: Clock;
  readonly host: string;
  readonly port: number;
  readonly answer: (query: Uint8Array, transport: "udp" | "tcp") => Uint8Array | null;
  readonly onLimit: (limit: string) => void;
  readonly log: (text: string) => void;
}

export class DnsServer {
  /** The port that took effect; 0 while it does not stand. */
  port = 0;
  /** Why it does not stand; null while it does. */
  problem: string | null = "not started yet";
  #udp: UdpSocket | null = null;
  #tcp: Listener | null = null;
  #timer: Timer | null = null;
  #open = true;
  readonly #clients = new Set<TcpClient>();

  constructor(readonly options: DnsServerOptions) {}

  /** Resolves after the first try. */
  async start(): Promise<void> {
    try {
      await this.#bind();
    } catch (error) {
      this.#failed(error as Error);
    }
  }

  close(): void {
    this.#open = false;
    this.#timer?.cancel();
    this.#release();
    for (const client of this.#clients) client.end();
  }

  /** TCP tells who has the port; the datagrams have the same. */
  async #bind(): Promise<void> {
    const { net, host, port, log } = this.options;
    this.#tcp = net.listen({ host, port }, (socket) => this.#accept(socket));
    const receive = (bytes: Uint8Array, address: string, from: number): void => {
      const answer = this.options.answer(bytes, "udp");
      if (answer !== null) this.#udp?.send(answer, address, from);
    };
    const udp = await net.udp({ host, port: this.#tcp.port }, receive);
    if (!this.#open) return udp.close();
    this.#udp = udp;
    this.port = udp.port;
    if (this.problem !== null && this.#timer !== null)
      log(`DNS stands at ${socketAddress(host, udp.port)} now`);
    this.problem = null;
  }

  #failed(error: Error): void {
    const { clock, host, port, log } = this.options;
    this.#release();
    if (!this.#open) return;
    const { holder } = error as Partial<ListenError>;
    const by = typeof holder === "string" ? `, held by ${holder}` : "";
    const problem = `cannot answer DNS at ${socketAddress(host, port)}${by}: ${error.message}`;
    if (this.#timer === null) log(`${problem}; trying on`);
    this.problem = problem;
    this.#timer = clock.after(limits.dnsRetryMs, () => void this.start(), true);
  }

  #release(): void {
    this.#tcp?.close();
    this.#udp?.close();
    [this.#tcp, this.#udp, this.port] = [null, null, 0];
  }

  #accept(socket: Socket): SocketHandler {
    const { clock, answer, onLimit } = this.options;
    const client: TcpClient = new TcpClient(socket, {
      clock,
      answer: (query) => answer(query, "tcp"),
      onLimit,
      gone: () => this.#clients.delete(client),
    });
    if (this.#clients.size >= limits.dnsConnectionsMax) {
      onLimit("dnsConnectionsMax");
      // Who has been silent the longest gives way: a new client has something to ask.
      const [idlest] = [...this.#clients].sort((a, b) => a.askedMs - b.askedMs);
      idlest?.end();
    }
    this.#clients.add(client);
    return client;
  }
}
