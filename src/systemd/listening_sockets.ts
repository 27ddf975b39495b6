/**
 * Which TCP ports are listened on, and whether beyond loopback. The kernel is asked for those alone; where that cannot be, its tables
 * of all connections say it.
 */
import type { Files, Native } from "../../runtime/contract.ts";
import { inet6Family, inetFamily, listenState, messageFields, SocketDiag } from "./socket_diag.ts";

export interface ListeningSocket {
  readonly address: string;
  readonly port: number;
  readonly loopback: boolean;
  /** Its number, as the descriptors of its owners name it. */
  readonly inode: string;
}

export interface ListeningHost {
  readonly files: Pick<Files, "read">;
  readonly native: Pick<Native, "available" | "library">;
}

/** For who asks again and again: the tables have every connection of the machine, and reading them all would hold the event loop. */
export class ListeningSockets {
  readonly #diag: SocketDiag;

  constructor(readonly host: ListeningHost) {
    this.#diag = new SocketDiag(host.native);
  }

  async read(): Promise<ListeningSocket[]> {
    const found: ListeningSocket[] = [];
    const told = [inetFamily, inet6Family].every((family) =>
      this.#diag.ask({ family, states: 1 << listenState }, (message) =>
        found.push(socketIn(message, family)),
      ),
    );
    return told ? found : await listeningSockets(this.host.files);
  }

  close(): void {
    this.#diag.close();
  }
}

function socketIn(message: DataView, family: number): ListeningSocket {
  const bytes = Array.from({ length: family === inetFamily ? 4 : 16 }, (_, at) =>
    message.getUint8(messageFields.address + at),
  );
  const inode = String(message.getUint32(messageFields.inode, true));
  return socketOf(
    family === inetFamily ? bytes.join(".") : ipv6(bytes),
    message.getUint16(messageFields.port),
    inode,
  );
}

function ipv6(bytes: readonly number[]): string {
  const last = bytes[15];
  if (bytes.slice(0, 15).some((byte) => byte !== 0) || last === undefined || last > 1) return "IPv6";
  return last === 0 ? "::" : "::1";
}

function socketOf(address: string, port: number, inode: string): ListeningSocket {
  return { address, port, inode, loopback: address.startsWith("127.") || address === "::1" };
}

/** For who asks once. */
export async function listeningSockets(files: Pick<Files, "read">): Promise<ListeningSocket[]> {
  const tables = await Promise.all(["/proc/net/tcp", "/proc/net/tcp6"].map((path) => files.read(path)));
  return tables.flatMap((bytes) => (bytes === null ? [] : parseTable(new TextDecoder().decode(bytes))));
}

function parseTable(text: string): ListeningSocket[] {
  return text
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[3] === "0A")
    .map((columns) => {
      const [hex = "", port = "0"] = (columns[1] ?? "").split(":");
      const address =
        hex.length === 8
          ? ipv4(hex)
          : /^0+$/.test(hex)
            ? "::"
            : hex === "00000000000000000000000001000000"
              ? "::1"
              : "IPv6";
      return socketOf(address, Number.parseInt(port, 16), columns[9] ?? "");
    });
}

/** The table has the bytes in the order of the machine, which is little-endian. */
function ipv4(hex: string): string {
  return [6, 4, 2, 0].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join(".");
}
