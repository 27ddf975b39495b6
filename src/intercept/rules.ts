/**
 * The rules by which traffic of units goes into the mesh, as one transaction of nftables (nft(8)): a table of our own that is there whole or
 * not at all, and nothing else is touched. Pure. Only the first packet of a connection is ever looked at, so what stands before goes on; what
 * matches is the slice of a unit or a port that a unit declares, and never "all but".
 */
import { limits } from "../model/limits.ts";
import { sliceFolder } from "./slice.ts";

export interface InterceptedUnit {
  readonly unit: string;
  readonly slice: string;
  readonly outbound: "mesh" | "all";
  readonly inbound: "audit" | "enforce";
  /** At which its apps listen. */
  readonly ports: readonly number[];
  /** Its rules stand while the proxy does not run, too. */
  readonly strict: boolean;
}

/** What is left alone whatever a unit asks for. */
export interface Exclusions {
  /** Of who is logged in by SSH. */
  readonly addresses: readonly string[];
  /** Of the control plane. */
  readonly places: readonly { readonly host: string; readonly port: number }[];
  /** Of sshd. */
  readonly ports: readonly number[];
}

/** Somebody on another machine who called a port of a unit around the mesh. */
export interface ClearCaller {
  readonly address: string;
  readonly port: number;
  readonly packets: number;
}

export interface RulesWanted {
  readonly units: readonly InterceptedUnit[];
  readonly exclusions: Exclusions;
  /** Where the proxy listens for what is redirected: several ports, one behind the other. */
  readonly ports: readonly number[];
  /** Who was counted until now: counting goes on from there. */
  readonly clear: readonly ClearCaller[];
}

/** `inet NAME`. */
export const tableName = "heddle";
/** Of the sets that count callers in clear text. */
export const clearSets = { 4: "clear4", 6: "clear6" } as const;

const virtualNetwork = "127.100.0.0/16";
/** Of this machine, this link, or many at once (RFC 6890); the metadata services of clouds are among them. */
const localNetworks = [
  ...["127.0.0.0/8", "169.254.0.0/16", "224.0.0.0/4", "255.255.255.255"],
  ...["::1", "fe80::/10", "ff00::/8", "fd00:ec2::254"],
];
/** Of resolvers: over TCP, and over TLS. */
const dnsPorts = [53, 853];
/** The first packet of a connection, and no other: what stood before the rules is never taken for new. */
const first = "tcp flags & (fin | syn | rst | ack) == syn";
/** Before what Docker and others have there (-100), so that virtual addresses are ours first. */
const natPriority = -110;
const inputPriority = -10;

export function ruleset({ units, exclusions, ports, clear }: RulesWanted): string {
  const ordered = units.toSorted((one, other) => (one.unit < other.unit ? -1 : 1));
  const listening = ordered.filter(({ ports }) => ports.length > 0);
  return transaction([
    ...keptSets(exclusions),
    ...(listening.length === 0 ? [] : clearSetLines(clear)),
    ...natChain(ordered.flatMap((unit) => outboundRules(unit, ports))),
    ...(listening.length === 0 ? [] : clearChain(listening)),
    ...inputChain(listening, ports),
  ]);
}

/**
 * Takes the rules away but for one that never matches: with the last redirect the kernel forgets every connection that it had redirected, and
 * breaks them. A hook without a rule does not keep them (Linux 6.18).
 */
export function emptyRuleset(): string {
  return transaction(natChain([keepingRule]));
}

function dropRules(): string {
  return `table inet ${tableName}\ndelete table inet ${tableName}\n`;
}

/** Nobody makes a TCP connection to all. */
const keepingRule = 'ip daddr 255.255.255.255 tcp dport 0 redirect to :0 comment "keeps"';

/** All of it at once, in the place of what was there. */
function transaction(lines: readonly string[]): string {
  const body = lines.map((line) => (line === "" ? "" : `\t${line}`)).join("\n");
  return `${dropRules()}table inet ${tableName} {\n${body}\n}\n`;
}

function keptSets({ addresses, places, ports }: Exclusions): string[] {
  const all = [...new Set([...localNetworks, ...addresses])];
  const isV6 = (address: string): boolean => address.includes(":");
  const kept = (name: string, type: string, elements: readonly string[], merged = true): string[] => [
    `set ${name} {`,
    `\ttype ${type}`,
    ...(merged ? ["\tflags interval", "\tauto-merge"] : []),
    ...(elements.length === 0 ? [] : [`\telements = { ${[...new Set(elements)].sort().join(", ")} }`]),
    "}",
  ];
  const placesOf = (v6: boolean): string[] =>
    places.filter(({ host }) => isV6(host) === v6).map(({ host, port }) => `${host} . ${port}`);
  return [
    ...kept(
      "kept4",
      "ipv4_addr",
      all.filter((each) => !isV6(each)),
    ),
    ...kept("kept6", "ipv6_addr", all.filter(isV6)),
    ...kept("kept_places4", "ipv4_addr . inet_service", placesOf(false), false),
    ...kept("kept_places6", "ipv6_addr . inet_service", placesOf(true), false),
    ...kept("kept_ports", "inet_service", sorted([...dnsPorts, ...ports]).map(String)),
  ];
}

function clearSetLines(clear: readonly ClearCaller[]): string[] {
  const counted = (v6: boolean): string =>
    clear
      .filter(({ address }) => address.includes(":") === v6)
      .slice(0, limits.clearCallersMax)
      .map(({ address, port, packets }) => `${address} . ${port} counter packets ${packets} bytes 0`)
      .join(", ");
  const counting = (name: string, type: string, elements: string): string[] => [
    `set ${name} {`,
    `\ttype ${type} . inet_service`,
    "\tflags dynamic,timeout",
    `\ttimeout ${limits.clearCallerSeconds}s`,
    `\tsize ${limits.clearCallersMax}`,
    ...(elements === "" ? [] : [`\telements = { ${elements} }`]),
    "}",
  ];
  return [
    ...counting(clearSets[4], "ipv4_addr", counted(false)),
    ...counting(clearSets[6], "ipv6_addr", counted(true)),
  ];
}

function natChain(rules: readonly string[]): string[] {
  return [
    "chain output {",
    `\ttype nat hook output priority ${natPriority}; policy accept;`,
    ...rules.map((rule) => `\t${rule}`),
    "}",
  ];
}

function outboundRules({ unit, slice, outbound }: InterceptedUnit, ports: readonly number[]): string[] {
  const folder = sliceFolder(slice);
  const level = folder.split("/").length;
  const from = `${first} socket cgroupv2 level ${level} "${folder}"`;
  const to = (comment: string): string =>
    `counter redirect to :${rangeOf(ports)} comment "${unit} ${comment}"`;
  const others = (address: string, family: 4 | 6): string =>
    `${address} != @kept${family} ${address} . tcp dport != @kept_places${family} tcp dport != @kept_ports`;
  return [
    `${from} ip daddr ${virtualNetwork} ${to("mesh")}`,
    ...(outbound === "all"
      ? [`${from} ${others("ip daddr", 4)} ${to("all")}`, `${from} ${others("ip6 daddr", 6)} ${to("all6")}`]
      : []),
  ];
}

/** As nft writes ports that follow one another. */
function rangeOf(ports: readonly number[]): string {
  const [first, last] = [Math.min(...ports), Math.max(...ports)];
  return first === last ? `${first}` : `${first}-${last}`;
}

/** Of callers on other machines. */
function clearChain(units: readonly InterceptedUnit[]): string[] {
  const rules = units.map(({ unit, inbound, ports }) => {
    const at = `tcp dport { ${sorted(ports).join(", ")} } counter`;
    return inbound === "enforce"
      ? `${at} reject with tcp reset comment "${unit} enforce"`
      : `${at} comment "${unit} audit"`;
  });
  return [
    "chain clear {",
    // A set that is full ends only the rule that counts.
    `\tupdate @${clearSets[4]} { ip saddr . tcp dport counter }`,
    `\tupdate @${clearSets[6]} { ip6 saddr . tcp dport counter }`,
    ...rules.map((rule) => `\t${rule}`),
    "}",
  ];
}

/**
 * What comes by loopback is the proxy, or somebody here. Where more connections from one port of a unit are redirected than the proxy has
 * ports, the kernel gives one another port of its own (`snat`): who made it could not be told, or be taken for somebody else.
 */
function inputChain(listening: readonly InterceptedUnit[], ports: readonly number[]): string[] {
  const declared = sorted(listening.flatMap((unit) => unit.ports));
  return [
    "chain input {",
    `\ttype filter hook input priority ${inputPriority}; policy accept;`,
    `\tiifname "lo" tcp dport ${rangeOf(ports)} ct status snat counter reject with tcp reset comment "ambiguous"`,
    ...(declared.length === 0
      ? []
      : [`\tiifname != "lo" ${first} tcp dport { ${declared.join(", ")} } jump clear`]),
    "}",
  ];
}

function sorted(ports: readonly number[]): number[] {
  return [...new Set(ports)].sort((one, other) => one - other);
}
