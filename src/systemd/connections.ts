/** Connections of this machine, from the kernel's own tables: for who looks now and then. */
import type { Files } from "../../runtime/contract.ts";

const establishedState = "01";
const listenState = "0A";

/** Addresses that have a connection to one of these ports of this machine. */
export async function connectedPeers(
  files: Pick<Files, "read">,
  ports: readonly number[],
): Promise<string[]> {
  const rows = (await tables(files)).filter(
    ({ state, port }) => state === establishedState && ports.includes(port),
  );
  return [...new Set(rows.map(({ remote }) => remote))];
}

/** How many connections these ports have, whatever they wait for. */
export async function peersAt(files: Pick<Files, "read">, ports: readonly number[]): Promise<number> {
  return (await tables(files)).filter(({ state, port }) => state !== listenState && ports.includes(port))
    .length;
}

/** Ports of this machine at which somebody listens, at whatever address. */
export async function listeningPorts(files: Pick<Files, "read">): Promise<ReadonlySet<number>> {
  return new Set((await tables(files)).flatMap(({ state, port }) => (state === listenState ? [port] : [])));
}

interface Row {
  readonly port: number;
  readonly remote: string;
  readonly state: string;
}

async function tables(files: Pick<Files, "read">): Promise<Row[]> {
  const read = await Promise.all(["/proc/net/tcp", "/proc/net/tcp6"].map((path) => files.read(path)));
  return read.flatMap((bytes) => (bytes === null ? [] : parseTable(new TextDecoder().decode(bytes))));
}

function parseTable(text: string): Row[] {
  return text
    .split("\n")
    .slice(1)
    .map((line) => line.trim().split(/\s+/))
    .filter((columns) => columns.length > 9)
    .map((columns) => {
      const [, port = "0"] = (columns[1] ?? "").split(":");
      const [remote = ""] = (columns[2] ?? "").split(":");
      return {
        port: Number.parseInt(port, 16),
        remote: addressOf(remote),
        state: columns[3] ?? "",
      };
    });
}

/** The table has each group of four bytes in the order of the machine, which is little-endian. */
function addressOf(hex: string): string {
  const words = hex.match(/.{8}/g) ?? [];
  const bytes = words.flatMap((word) =>
    [6, 4, 2, 0].map((at) => Number.parseInt(word.slice(at, at + 2), 16)),
  );
  if (bytes.length !== 16) return bytes.join(".");
  if (hex.startsWith("0000000000000000FFFF0000")) return bytes.slice(12).join(".");
  const groups = Array.from({ length: 8 }, (_, at) =>
    ((bytes[2 * at] ?? 0) * 256 + (bytes[2 * at + 1] ?? 0)).toString(16),
  );
  return new URL(`http://[${groups.join(":")}]`).hostname.slice(1, -1);
}
