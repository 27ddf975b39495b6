/** Where a server is, and how that is written. */

export interface Address {
  readonly host: string;
  readonly port: number;
}

/** `10.0.0.7:80`, `[fd00::7]:80` (RFC 3986 section 3.2.2): an IPv6 address stands in brackets before a port. */
export function socketAddress(host: string, port: number | string): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

export function addressText({ host, port }: Address): string {
  return socketAddress(host, port);
}

export function isSameAddress(one: Address, other: Address): boolean {
  return one.host === other.host && one.port === other.port;
}
