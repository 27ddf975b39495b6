/** Networks in the notation of RFC 4632 and RFC 4291 (`10.0.0.0/8`, `fd00::/8`), and which addresses lie in them. */

export interface Network {
  /** 4 or 16 numbers. */
  readonly bytes: readonly number[];
  readonly bits: number;
}

/** An address alone is the network of itself. null: it is neither. */
export function readNetwork(text: string): Network | null {
  const [, address = "", length] = /^([^/]+)(?:\/([0-9]{1,3}))?$/.exec(text) ?? [];
  const bytes = readAddress(address);
  if (bytes === null) return null;
  const bits = length === undefined ? bytes.length * 8 : Number(length);
  return bits <= bytes.length * 8 ? { bytes, bits } : null;
}

/** An IPv4 address that is written as one of IPv6 is one of IPv4. */
export function isWithin({ bytes, bits }: Network, address: string): boolean {
  const own = readAddress(address);
  if (own === null || own.length !== bytes.length) return false;
  for (let at = 0, left = bits; left > 0; at++, left -= 8) {
    const mask = left >= 8 ? 0xff : (0xff00 >> left) & 0xff;
    if ((((own[at] as number) ^ (bytes[at] as number)) & mask) !== 0) return false;
  }
  return true;
}

/** Whether two hosts are one, however their addresses are written. */
export function isSameHost(one: string, other: string): boolean {
  const network = readNetwork(one);
  return network === null ? one === other : isWithin(network, other);
}

/** 4 numbers or 16; null: it is no address. A zone (`%eth0`) says nothing here. */
function readAddress(text: string): number[] | null {
  const mapped = /^::ffff:([0-9.]+)$/i.exec(text)?.[1];
  if (mapped !== undefined) return readIpv4(mapped);
  return text.includes(":") ? readIpv6(text) : readIpv4(text);
}

function readIpv4(text: string): number[] | null {
  const parts = text.split(".");
  const fits = parts.length === 4 && parts.every((part) => /^[0-9]{1,3}$/.test(part) && Number(part) < 256);
  return fits ? parts.map(Number) : null;
}

function readIpv6(text: string): number[] | null {
  const halves = (text.split("%")[0] as string).split("::");
  if (halves.length > 2) return null;
  const [head = [], tail = []] = halves.map((half) => (half === "" ? [] : half.split(":")));
  const missing = 8 - head.length - tail.length;
  if (halves.length === 1 ? missing !== 0 : missing < 1) return null;
  const groups = [...head, ...new Array<string>(missing).fill("0"), ...tail];
  if (!groups.every((group) => /^[0-9a-f]{1,4}$/i.test(group))) return null;
  return groups.flatMap((group) => {
    const value = Number.parseInt(group, 16);
    return [value >> 8, value & 0xff];
  });
}

/** Whether what stands where a host may is an address. */
export function isAddress(text: string): boolean {
  return readAddress(text) !== null;
}
