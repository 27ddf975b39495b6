/** Passes TCP on to another port, and does harm on demand: cuts everything, or loses answers after the request went through. */
import { connect, createServer, type AddressInfo, type Socket } from "node:net";

export class TcpRelay {
  readonly #open = new Set<Socket>();
  #cut = false;
  #losing = 0;
  readonly #server = createServer((near) => this.#accept(near));

  /** How many answers were lost. */
  lost = 0;

  private constructor(readonly target: number) {}

  static async to(target: number): Promise<TcpRelay> {
    const relay = new TcpRelay(target);
    await new Promise((resolve) => relay.#server.listen(0, "127.0.0.1", () => resolve(undefined)));
    return relay;
  }

  get port(): number {
    return (this.#server.address() as AddressInfo).port;
  }

  /** Ends all connections, and those that come, until `mend`. */
  cut(): void {
    this.#cut = true;
    for (const socket of this.#open) socket.destroy();
  }

  mend(): void {
    this.#cut = false;
  }

  /** The next answers to requests whose text has `text` are lost, with their connections. */
  loseAnswers(count: number, text: string): void {
    this.#losing = count;
    this.#text = text;
  }
  #text = "";

  close(): void {
    this.cut();
    this.#server.close();
  }

  #accept(near: Socket): void {
    if (this.#cut) return void near.destroy();
    const far = connect(this.target, "127.0.0.1");
    let losesNext = false;
    for (const socket of [near, far]) {
      this.#open.add(socket);
      socket.on("error", () => socket.destroy());
      socket.on("close", () => {
        this.#open.delete(socket);
        near.destroy();
        far.destroy();
      });
    }
    near.on("data", (bytes) => {
      losesNext ||= this.#losing > 0 && bytes.toString("latin1").includes(this.#text);
      far.write(bytes);
    });
    far.on("data", (bytes) => {
      if (!losesNext || this.#losing === 0) return void near.write(bytes);
      this.#losing--;
      this.lost++;
      near.destroy();
    });
  }
}
