/**
 * Reads of a peer's leaf certificate what the contract promises: serial, validity and URI names, straight from its DER (RFC 5280
 * section 4.1). The printed forms of other libraries join and quote names, which an attacker could use.
 * Called only with certificates that the TLS library has parsed and, unless `unverified`, verified.
 */
import type { PeerCertificate } from "../contract.ts";

interface Element {
  readonly tag: number;
  readonly start: number;
  readonly end: number;
}

const sequence = 0x30;
const uriName = 0x86;
const extensions = 0xa3;
const utcTime = 0x17;
/** 2.5.29.17 */
const subjectAlternativeName = "551d11";
/** 2.5.29.19 */
const basicConstraints = "551d13";
/** 2.5.29.15 */
const keyUsage = "551d0f";
const boolean = 0x01;
/** keyCertSign and cRLSign, in the first byte of the bits. */
const signingUsages = 0x06;

function elementAt(der: Uint8Array, at: number, limit: number): Element {
  const tag = der[at];
  let length = der[at + 1];
  if (tag === undefined || length === undefined) throw new Error("Cannot read certificate: it ends early");
  let start = at + 2;
  if (length >= 0x80) {
    const count = length - 0x80;
    if (count === 0 || count > 3) throw new Error("Cannot read certificate: bad length");
    length = 0;
    for (let index = 0; index < count; index++) length = length * 256 + (der[start++] ?? 0);
  }
  if (start + length > limit) throw new Error("Cannot read certificate: an element leaves its parent");
  return { tag, start, end: start + length };
}

function childrenOf(der: Uint8Array, parent: Element): Element[] {
  const children: Element[] = [];
  for (let at = parent.start; at < parent.end;) {
    const child = elementAt(der, at, parent.end);
    children.push(child);
    at = child.end;
  }
  return children;
}

function text(der: Uint8Array, element: Element): string {
  return Buffer.from(der.buffer, der.byteOffset + element.start, element.end - element.start).toString(
    "latin1",
  );
}

function hex(der: Uint8Array, element: Element): string {
  return Buffer.from(der.buffer, der.byteOffset + element.start, element.end - element.start).toString("hex");
}

/** `YYMMDDHHMMSSZ` or `YYYYMMDDHHMMSSZ` in milliseconds; NaN when written otherwise. */
function timeMs(der: Uint8Array, element: Element): number {
  const written = text(der, element);
  const year = element.tag === utcTime ? (Number(written.slice(0, 2)) < 50 ? "20" : "19") + written : written;
  if (!/^\d{14}Z$/.test(year)) return Number.NaN;
  const part = (from: number, to: number): number => Number(year.slice(from, to));
  return Date.UTC(part(0, 4), part(4, 6) - 1, part(6, 8), part(8, 10), part(10, 12), part(12, 14));
}

/** What stands in each extension of this name. */
function extensionsNamed(der: Uint8Array, parts: readonly Element[], wanted: string): Element[] {
  const list = parts.find((part) => part.tag === extensions);
  if (list === undefined) return [];
  return childrenOf(der, elementAt(der, list.start, list.end)).flatMap((extension) => {
    const inside = childrenOf(der, extension);
    const [name] = inside;
    const value = inside.at(-1);
    if (name === undefined || value === undefined || hex(der, name) !== wanted) return [];
    return [elementAt(der, value.start, value.end)];
  });
}

function bodyOf(der: Uint8Array): Element[] {
  const [body] = childrenOf(der, elementAt(der, 0, der.length));
  if (body === undefined || body.tag !== sequence) throw new Error("Cannot read certificate: no body");
  return childrenOf(der, body);
}

/** Whether it may sign other certificates: such a one names nobody (X.509-SVID section 5.2). Throws like `readPeerCertificate`. */
export function isAuthority(der: Uint8Array): boolean {
  const parts = bodyOf(der);
  const constraints = extensionsNamed(der, parts, basicConstraints).flatMap((value) =>
    childrenOf(der, value),
  );
  if (constraints.some((each) => each.tag === boolean && der[each.start] !== 0)) return true;
  // A bit string begins with the count of bits that do not count.
  return extensionsNamed(der, parts, keyUsage).some(
    (bits) => bits.end > bits.start + 1 && ((der[bits.start + 1] as number) & signingUsages) !== 0,
  );
}

/** Throws when the bytes are no certificate. */
export function readPeerCertificate(der: Uint8Array): PeerCertificate {
  const parts = bodyOf(der);
  // An explicit version comes first in every certificate that can have extensions.
  const [, serial, , , validity] = parts;
  const [notBefore, notAfter] = validity === undefined ? [] : childrenOf(der, validity);
  if (serial === undefined || notBefore === undefined || notAfter === undefined) {
    throw new Error("Cannot read certificate: no serial or no validity");
  }
  const names = extensionsNamed(der, parts, subjectAlternativeName).flatMap((list) => childrenOf(der, list));
  return {
    uris: names.filter((name) => name.tag === uriName).map((name) => text(der, name)),
    der,
    serial: hex(der, serial).replace(/^(00)+(?=.)/, ""),
    notBeforeMs: timeMs(der, notBefore),
    notAfterMs: timeMs(der, notAfter),
  };
}
