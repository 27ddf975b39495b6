/**
 * The services of the mesh as every machine knows them for its DNS and its virtual addresses: a line each, since a snapshot
 * has all of them and is written for each machine.
 */
import type { Protocol, ServiceName } from "./service.ts";

export interface MeshName {
  readonly service: ServiceName;
  /** The same on every machine, on loopback. */
  readonly address: string;
  readonly port: number;
  readonly protocol: Protocol;
}

/** `orders.default 127.100.3.4:80 http` */
export function meshNameLine({ service, address, port, protocol }: MeshName): string {
  return `${service.name}.${service.namespace} ${address}:${port} ${protocol}`;
}

const form = /^([a-z0-9-]+)\.([a-z0-9-]+) (127\.\d{1,3}\.\d{1,3}\.\d{1,3}):(\d{1,5}) ([a-z0-9]+)$/;

/** null for what another version wrote and this one cannot read. */
export function readMeshName(line: string): MeshName | null {
  const [, name, namespace, address, port, protocol] = form.exec(line) ?? [];
  if (name === undefined || namespace === undefined || address === undefined) return null;
  return { service: { name, namespace }, address, port: Number(port), protocol: protocol as Protocol };
}
