/** Where a server is, as documents write it: a host or an address with its port. */
import * as v from "valibot";
import { isAddress } from "../../base/cidr.ts";
import type { Address } from "../../base/socket_address.ts";

const placeForm =
  "a host or an address with its port, such as api.example:443, 192.0.2.7:5432 or [2001:db8::7]:443";

export const place = v.pipe(
  v.string(placeForm),
  v.check((text) => readPlace(text) !== null, placeForm),
);

/** Lower case; null: it is none. */
export function readPlace(text: string): Address | null {
  const [, v6, plain, number = ""] =
    /^(?:\[([0-9a-f:.]+)\]|([A-Za-z0-9.-]{1,253})):([0-9]{1,5})$/i.exec(text) ?? [];
  const [host, port] = [v6 ?? plain?.toLowerCase() ?? "", Number(number)];
  if (port < 1 || port > 65_535) return null;
  if (v6 !== undefined) return isAddress(host) ? { host, port } : null;
  const isName = /^[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)*$/.test(host);
  // What ends in a number is an address, or none.
  return isName && (isAddress(host) || !/(?:^|\.)[0-9]+$/.test(host)) ? { host, port } : null;
}

const addressForm = "an IP address with its port, such as 203.0.113.7:15443 or [2001:db8::7]:15443";

/** The same, where names of DNS are none. */
export const addressWithPort = v.pipe(
  v.string(addressForm),
  v.check((text) => isAddress(readPlace(text)?.host ?? ""), addressForm),
);
