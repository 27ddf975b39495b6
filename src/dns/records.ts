/**
 * What a question of a type comes to: the records, encoded, and how it is called. The answers to one question are the same
 * octets until the zone changes, so they are made once. HTTPS is written here: the codec would make type 0 of it.
 */
import { type Answer, encode } from "dns-packet";
import { limits } from "../model/limits.ts";
import { type Zone, type ZoneService, zoneName } from "./zone.ts";

export const types = {
  A: 1,
  NS: 2,
  SOA: 6,
  AAAA: 28,
  SRV: 33,
  HTTPS: 65,
  IXFR: 251,
  AXFR: 252,
  ANY: 255,
} as const;

export type DnsResult =
  "answer" | "nodata" | "nxdomain" | "refused" | "malformed" | "unsupported" | "unavailable";

/** Codes of answers (RFC 1035 section 4.1.1). */
export const rcodes: Readonly<Record<DnsResult, number>> = {
  answer: 0,
  nodata: 0,
  malformed: 1,
  unavailable: 2,
  nxdomain: 3,
  unsupported: 4,
  refused: 5,
};

export interface Sections {
  readonly result: DnsResult;
  readonly answers: Section;
  readonly authorities: Section;
  /** Left out where there is no room. */
  readonly additionals: Section;
  /** Why, for people who look (RFC 8914); "" where all is said. */
  readonly note: string;
}

export interface Section {
  readonly count: number;
  readonly bytes: Uint8Array;
}

const headBytes = 12;
/** Type and class. */
const questionTailBytes = 4;
const none: Section = { count: 0, bytes: new Uint8Array() };
const ttl = limits.dnsTtlMs / 1000;

const soa: Answer = {
  type: "SOA",
  name: zoneName,
  ttl,
  // No other server takes the zone over: its numbers stay as they are, but for how long an absence is believed.
  data: {
    mname: `ns.${zoneName}`,
    rname: `hostmaster.${zoneName}`,
    serial: 1,
    refresh: 60,
    retry: 60,
    expire: 60,
    minimum: ttl,
  },
};

export function plainSections(result: DnsResult, note = ""): Sections {
  return { result, answers: none, authorities: none, additionals: none, note };
}

const nodata: Sections = { ...plainSections("nodata"), authorities: section([soa]) };
const nxdomain: Sections = { ...plainSections("nxdomain"), authorities: section([soa]) };
const refused = plainSections("refused");

/** The records of a zone, each set encoded once. */
export class Records {
  readonly #known = new Map<string, Sections>();

  constructor(readonly zone: Zone) {}

  of(name: string, type: number): Sections {
    const key = `${type} ${name}`;
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const made = make(this.zone, name, type);
    // The others are the same for all names, or name what somebody made up.
    if (made.result !== "answer" && made.note === "") return made;
    if (this.#known.size >= limits.dnsAnswersMax) this.#known.clear();
    this.#known.set(key, made);
    return made;
  }
}

function make(zone: Zone, name: string, type: number): Sections {
  const found = zone.find(name);
  if (found.kind === "foreign" || type === types.AXFR || type === types.IXFR) return refused;
  if (found.kind === "absent") return nxdomain;
  if (found.kind === "empty") return nodata;
  if (found.kind === "apex") return apexOf(type);
  const { service } = found;
  if (service.address === null) return service.problem === "" ? nodata : { ...nodata, note: service.problem };
  if (found.kind === "location")
    return type === types.SRV || type === types.ANY
      ? located(name, found.target, service, service.address)
      : nodata;
  return addressed(name, type, service, service.address);
}

function apexOf(type: number): Sections {
  const ns: Answer = { type: "NS", name: zoneName, ttl, data: `ns.${zoneName}` };
  if (type === types.NS) return answer([ns]);
  return type === types.SOA || type === types.ANY ? answer([soa]) : nodata;
}

function addressed(name: string, type: number, service: ZoneService, address: string): Sections {
  if (type === types.SRV) return located(name, name, service, address);
  // To ANY one of the sets is enough (RFC 8482 section 4.1).
  if (type === types.A || type === types.ANY) return answer([{ type: "A", name, ttl, data: address }]);
  // It would turn callers of http:// to TLS (RFC 9460 section 9.5): only where TLS is what the app speaks.
  if (type === types.HTTPS && service.protocol === "tls") {
    const answers = { count: 1, bytes: httpsRecord(name, service.port, address) };
    return { ...plainSections("answer"), answers };
  }
  return nodata;
}

function located(name: string, target: string, { port }: ZoneService, address: string): Sections {
  const data = { priority: 0, weight: 1, port, target };
  const additionals = section([{ type: "A", name: target, ttl, data: address }]);
  return { ...answer([{ type: "SRV", name, ttl, data }]), additionals };
}

/**
 * Priority 1, this same name, its port and an address hint (RFC 9460 sections 2.2, 7.2 and 7.3). Which versions of HTTP it speaks is
 * for the app to say, in the handshake.
 */
function httpsRecord(name: string, port: number, address: string): Uint8Array {
  const question = encode({ type: "query", id: 0, flags: 0, questions: [{ name, type: "A" }] });
  const owner = question.subarray(headBytes, -questionTailBytes);
  const [portKey, hintKey] = [3, 4];
  const parameters = [
    ...[0, portKey, 0, 2, port >> 8, port & 255],
    ...[0, hintKey, 0, 4, ...address.split(".").map(Number)],
  ];
  const data = [0, 1, 0, ...parameters];
  return Uint8Array.of(...owner, 0, types.HTTPS, 0, 1, 0, 0, 0, ttl, 0, data.length, ...data);
}

function answer(records: readonly Answer[]): Sections {
  return { ...plainSections("answer"), answers: section(records) };
}

/** As a message that holds nothing else has them behind its head. */
function section(records: readonly Answer[]): Section {
  const message = encode({ type: "response", id: 0, flags: 0, answers: [...records] });
  return { count: records.length, bytes: new Uint8Array(message.subarray(headBytes)) };
}
