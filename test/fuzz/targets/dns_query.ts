/** DNS queries: read or refused; what is answered repeats the question octet for octet, fits, and can be read by another codec. */
import { decode, encode } from "dns-packet";
import { Answerer } from "../../../src/dns/answerer.ts";
import { Zone, type ZoneService } from "../../../src/dns/zone.ts";
import { limits } from "../../../src/model/limits.ts";
import { readDnsQuery } from "../../../src/wire/dns_query.ts";
import { bytesOf } from "../../support/wire.ts";
import { magnitude, must, mustEqual, type FuzzTarget } from "../target.ts";

const service = (name: string, namespace: string, protocol: ZoneService["protocol"]): ZoneService => ({
  service: { name, namespace },
  port: 8080,
  protocol,
  address: name === "held" ? null : "127.100.0.7",
  problem: name === "held" ? "held by nginx" : "",
});
const answerer = new Answerer({
  counted: () => {},
  broken: (error) => {
    throw error;
  },
});
answerer.serve(
  new Zone(
    [service("orders", "default", "http"), service("db", "prod", "tls"), service("held", "default", "tcp")],
    "default",
  ),
);

const opt = {
  type: "OPT",
  name: ".",
  udpPayloadSize: 1232,
  flags: 0,
  extendedRcode: 0,
  ednsVersion: 0,
  flag_do: false,
} as const;
const asked = (name: string, type: string, edns: boolean): Uint8Array =>
  encode({
    type: "query",
    id: 1,
    flags: 0x100,
    questions: [{ name, type: type as "A" }],
    ...(edns ? { additionals: [{ ...opt, options: [] }] } : {}),
  });

export const dnsQuery: FuzzTarget = {
  name: "dns-query",
  words: [
    "\u0004mesh\u0000",
    "\u0006orders",
    "\u0005_http\u0004_tcp",
    "\u00c0\u000c",
    "\u0000\u0041\u0000\u0001",
    "\u0000\u0000\u0029",
  ],
  bytesMax: 1_000,
  inputMs: 60,
  seeds: () => [
    asked("orders.mesh", "A", false),
    asked("_http._tcp.orders.mesh", "SRV", true),
    asked("db.prod.mesh", "UNKNOWN_65", true),
    asked("held.mesh", "AAAA", true),
    asked("example.com", "ANY", false),
    bytesOf(
      "\u0000\u0001\u0001\u0000\u0000\u0001\u0000\u0000\u0000\u0000\u0000\u0000\u00c0\u000c\u0000\u0001\u0000\u0001",
    ),
  ],
  check(input) {
    const query = readDnsQuery(input);
    const udp = answerer.answer(input, "udp");
    const tcp = answerer.answer(input, "tcp");
    must(
      (udp === null) === (query.kind === "silent"),
      "it is silent to what may be answered, or speaks to what may not",
    );
    if (udp === null || tcp === null) return "silent";
    must(udp.length <= limits.dnsUdpBytesMax, `an answer of ${udp.length} bytes over UDP`);
    const [decoded] = [udp, tcp].map((answer) => decode(Buffer.from(answer)));
    must(
      decoded?.type === "response" && decoded.id === (((input[0] ?? 0) << 8) | (input[1] ?? 0)),
      "it is no answer to this",
    );
    if (query.kind !== "query") return query.kind;
    const { questionEnd, name, type } = query;
    const textOf = (bytes: Uint8Array): string =>
      Buffer.from(bytes.subarray(12, questionEnd)).toString("latin1");
    mustEqual(textOf(udp), textOf(input), "the question is another one");
    mustEqual(textOf(tcp), textOf(input), "the question is another one");
    return `rcode ${(udp[3] ?? 0) & 15} ${magnitude(name.length)} ${type < 66 ? type : "other"} ${query.edns === null ? "" : "edns"}`;
  },
};
