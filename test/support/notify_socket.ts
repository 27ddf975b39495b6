/** A socket as a service manager has it: what processes tell it by sd_notify, datagram by datagram. */
import { DescriptorMessage } from "../../src/base/descriptor_message.ts";
import { runtime } from "./runtime_under_test.ts";

const dontWait = 0x40;

export class NotifySocket {
  readonly #libc = runtime.native.library("libc.so.6", {
    socket: { args: ["i32", "i32", "i32"], returns: "i32" },
    bind: { args: ["i32", "buffer", "u32"], returns: "i32" },
    recv: { args: ["i32", "buffer", "u64", "i32"], returns: "i64" },
    recvmsg: { args: ["i32", "buffer", "i32"], returns: "i64" },
    close: { args: ["i32"], returns: "i32" },
  });
  readonly #socket: number;

  /** `name` as in NOTIFY_SOCKET. */
  constructor(readonly name: string) {
    this.#socket = this.#libc.socket(1, 2, 0);
    const path = new TextEncoder().encode(name.replace(/^@/, "\0"));
    const address = new Uint8Array(2 + path.length + (name.startsWith("@") ? 0 : 1));
    address.set([1, 0, ...path]);
    if (this.#libc.bind(this.#socket, address, address.length) !== 0)
      throw new Error(`Cannot bind ${name}: errno ${runtime.native.errno()}`);
  }

  /** What has come since the last look. */
  received(): string[] {
    const datagrams: string[] = [];
    for (;;) {
      const bytes = new Uint8Array(4096);
      const count = this.#libc.recv(this.#socket, bytes, bytes.length, dontWait);
      if (count < 0) return datagrams;
      datagrams.push(new TextDecoder().decode(bytes.subarray(0, count)));
    }
  }

  /** The next datagram, and the descriptor that came with it, if one did. null: none has come. */
  receive(): { readonly text: string; readonly descriptor: number | null } | null {
    const bytes = new Uint8Array(4096);
    const message = new DescriptorMessage((of) => runtime.native.address(of), bytes);
    const count = this.#libc.recvmsg(this.#socket, message.header, dontWait);
    if (count < 0) return null;
    const text = new TextDecoder().decode(bytes.subarray(0, count));
    return { text, descriptor: message.hasDescriptor ? message.descriptor : null };
  }

  close(): void {
    this.#libc.close(this.#socket);
  }
}
