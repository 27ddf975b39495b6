/** Where callers from outside of the mesh come in: what a Gateway document says, and what the machines that run it get. */
import type { ServiceName } from "./service.ts";

/** `http` and `https` are routed by requests, `tls` by the server name of what stays closed, `tcp` leads to one service. */
export type GatewayProtocol = "http" | "https" | "tls" | "tcp";

/** Files of the machine that runs the gateway; read again when they change. */
export interface CertificateFiles {
  /** PEM, the leaf first. */
  readonly certificate: string;
  readonly key: string;
}

export interface GatewayListener {
  /** Unique in the gateway. */
  readonly name: string;
  readonly address: string;
  readonly port: number;
  readonly protocol: GatewayProtocol;
  /** Host that it is for, lower case: exact, or `*.example` for all below; several may have one port by it. Absent: any. */
  readonly hostname?: string;
  /** Of https: the one whose names fit what a client asks for, else the first. */
  readonly certificates: readonly CertificateFiles[];
  /** Of https: the oldest version that is taken. Absent: 1.3. */
  readonly minVersion?: "1.2";
  /** Port of https that requests of http are sent to. Absent: they are served. */
  readonly redirectPort?: number;
  /** Path that tells whoever asks whether this machine takes requests. Absent: none. */
  readonly ready?: string;
  /** Whoever connects is a load balancer, which says first whose connection it is (PROXY protocol). Of all listeners of a port. */
  readonly proxyProtocol?: true;
  /** Open at a time, on one machine. */
  readonly connectionsMax: number;
  /** Where connections of tcp go. */
  readonly service?: ServiceName;
  /** Network whose machines it passes TLS of the mesh on to, unopened ("" for those that name none). Absent: none. */
  readonly meshNetwork?: string;
}

/** The name by which routes of one listener are known: no service is called so, because of the colon. */
export function listenerService(
  { name, namespace }: ServiceName,
  listener: Pick<GatewayListener, "name">,
): ServiceName {
  return { name: `${name}:${listener.name}`, namespace };
}
