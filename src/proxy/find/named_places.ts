/** The services of the mesh by their virtual addresses and ports, for connections that were going there. */
import { socketAddress } from "../../base/socket_address.ts";
import { readMeshName } from "../../model/mesh_name.ts";
import type { ServiceName } from "../../model/service.ts";
import type { Snapshot } from "../../model/snapshot.ts";

/** All virtual addresses are in it; none of them leads anywhere else. */
const virtualNetwork = "127.100.";

export function isVirtual(host: string): boolean {
  return host.startsWith(virtualNetwork);
}

export class NamedPlaces {
  #lines: readonly string[] = [];
  #services: ReadonlyMap<string, ServiceName> = new Map();

  /** null: none of the mesh. */
  serviceAt({ names = [] }: Pick<Snapshot, "names">, host: string, port: number): ServiceName | null {
    if (names !== this.#lines) this.#read(names);
    return this.#services.get(socketAddress(host, port)) ?? null;
  }

  #read(lines: readonly string[]): void {
    this.#lines = lines;
    const names = lines.flatMap((line) => readMeshName(line) ?? []);
    this.#services = new Map(
      names.map(({ service, address, port }) => [socketAddress(address, port), service]),
    );
  }
}
