/** Which TCP ports are listened on, and whether beyond loopback: from the kernel's own tables. */
import type { Files } from "../../runtime/contract.ts";

export interface ListeningSocket {
  readonly address: string;
  readonly port: number;
  readonly loopback: boolean;
  /** Its number, as the descriptors of its owners name it. */
  readonly inode: string;
}

const listenState = "0A";

export async function listeningSockets(files: Files): Promise<ListeningSocket[]> {
  const tables = await Promise.all(["/proc/net/tcp", "/proc/net/tcp6"].map((path) => files.read(path)));
  return tables.flatMap((bytes) => (bytes === null ? [] : parseTable(new TextDecoder().decode(bytes))));
}

function parseTable(text: string): ListeningSocket[] {
  return text
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns[3] === listenState)
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
      return {
        address,
        port: Number.parseInt(port, 16),
        inode: columns[9] ?? "",
        loopback: address.startsWith("127.") || address === "::1",
      };
    });
}

/** The table has the bytes in the order of the machine, which is little-endian. */
function ipv4(hex: string): string {
  return [6, 4, 2, 0].map((at) => Number.parseInt(hex.slice(at, at + 2), 16)).join(".");
}
