/** What the DNS server says to each question, as a client that uses another codec reads it. */
import { expect, test } from "bun:test";
import { type DecodedPacket, decode, encode, type OptAnswer, type Packet } from "dns-packet";
import { Answerer } from "../../../src/dns/answerer.ts";
import { Zone, type ZoneService } from "../../../src/dns/zone.ts";
import { processorClock } from "../../support/processor_time.ts";

const services: readonly ZoneService[] = [
  service("orders", "default", { port: 80, protocol: "http", address: "127.100.0.7" }),
  service("orders", "prod", { port: 8080, protocol: "grpc", address: "127.100.0.8" }),
  service("db", "default", { port: 5432, protocol: "detect", address: "127.100.0.9" }),
  service("vault", "default", { port: 8200, protocol: "tls", address: "127.100.1.10" }),
  service("held", "default", {
    address: null,
    problem: "port 80 is held by nginx (pid 812) on all addresses",
  }),
];

function service(name: string, namespace: string, rest: Partial<ZoneService>): ZoneService {
  return { service: { name, namespace }, port: 80, protocol: "http", address: null, problem: "", ...rest };
}

const counts: string[] = [];
const answerer = new Answerer({
  counted: (type, result) => counts.push(`${type} ${result}`),
  broken: (error) => {
    throw error;
  },
});
answerer.serve(new Zone(services, "default"));

const opt: OptAnswer = {
  type: "OPT",
  name: ".",
  udpPayloadSize: 4096,
  flags: 0,
  extendedRcode: 0,
  ednsVersion: 0,
  flag_do: false,
  options: [],
};

function raw(name: string, type: string, packet: Partial<Packet> = {}): Uint8Array {
  return encode({
    type: "query",
    id: 4711,
    flags: 0x100,
    questions: [{ name, type: type as "A" }],
    ...packet,
  });
}

function ask(
  name: string,
  type = "A",
  packet: Partial<Packet> = {},
): DecodedPacket & { readonly rcode: string } {
  const answer = answerer.answer(raw(name, type, packet), "udp");
  if (answer === null) throw new Error("silence");
  return decode(Buffer.from(answer)) as DecodedPacket & { readonly rcode: string };
}

function shown(name: string, type = "A"): string {
  const { rcode, answers = [], authorities = [], flag_aa } = ask(name, type);
  const data = answers.map((each) => JSON.stringify((each as { data: unknown }).data));
  return [rcode, flag_aa ? "own" : "foreign", ...data, ...authorities.map((each) => each.type)].join(" ");
}

test("a service has its virtual address at its name, with and without a namespace", () => {
  expect(shown("orders.mesh")).toBe('NOERROR own "127.100.0.7"');
  expect(shown("orders.default.mesh")).toBe('NOERROR own "127.100.0.7"');
  expect(shown("orders.prod.mesh")).toBe('NOERROR own "127.100.0.8"');
  const [record] = ask("orders.mesh").answers ?? [];
  expect(record).toMatchObject({ name: "orders.mesh", type: "A", class: "IN", ttl: 5 });
});

test("a name without a namespace is of the one that the zone was made for", () => {
  const other = new Answerer({ counted: () => {}, broken: () => {} });
  other.serve(new Zone(services, "prod"));
  const answer = decode(Buffer.from(other.answer(raw("orders.mesh", "A"), "udp") as Uint8Array));
  expect(answer.answers).toMatchObject([{ data: "127.100.0.8" }]);
});

test("a name that is there without such a record is empty with the SOA, and one that is not there does not exist", () => {
  expect(shown("orders.mesh", "AAAA")).toBe("NOERROR own SOA");
  expect(shown("orders.mesh", "MX")).toBe("NOERROR own SOA");
  expect(shown("orders.mesh", "HTTPS")).toBe("NOERROR own SOA");
  expect(shown("nobody.mesh")).toBe("NXDOMAIN own SOA");
  expect(shown("nobody.mesh", "AAAA")).toBe("NXDOMAIN own SOA");
  expect(shown("x.orders.prod.mesh")).toBe("NXDOMAIN own SOA");
  expect(ask("nobody.mesh").authorities).toMatchObject([{ name: "mesh", ttl: 5, data: { minimum: 5 } }]);
});

test("names that only hold others are empty, not absent", () => {
  expect(shown("prod.mesh")).toBe("NOERROR own SOA");
  expect(shown("_tcp.orders.mesh", "SRV")).toBe("NOERROR own SOA");
  expect(shown("stage.mesh")).toBe("NXDOMAIN own SOA");
  expect(shown("mesh")).toBe("NOERROR own SOA");
  expect(shown("mesh", "NS")).toBe('NOERROR own "ns.mesh"');
});

test("SRV tells the port, at the name itself and at the protocol that the service speaks", () => {
  const located = '{"priority":0,"weight":1,"port":80,"target":"orders.mesh"}';
  expect(shown("orders.mesh", "SRV")).toBe(`NOERROR own ${located}`);
  expect(shown("_http._tcp.orders.mesh", "SRV")).toBe(`NOERROR own ${located}`);
  expect(shown("_grpc._tcp.orders.mesh", "SRV")).toBe("NXDOMAIN own SOA");
  expect(shown("_grpc._tcp.orders.prod.mesh", "SRV")).toContain('"port":8080,"target":"orders.prod.mesh"');
  expect(shown("_http._udp.orders.mesh", "SRV")).toBe("NXDOMAIN own SOA");
  expect(shown("_http._tcp.orders.mesh")).toBe("NOERROR own SOA");
  expect(ask("_http._tcp.orders.mesh", "SRV").additionals).toMatchObject([
    { name: "orders.mesh", type: "A", data: "127.100.0.7" },
  ]);
});

test("a service that declares no protocol is located as any of them, and as nothing else", () => {
  for (const word of ["http", "grpc", "tcp"])
    expect(shown(`_${word}._tcp.db.mesh`, "SRV")).toContain('"port":5432');
  expect(shown("_postgres._tcp.db.mesh", "SRV")).toBe("NXDOMAIN own SOA");
});

test("HTTPS is type 65, and only where the app speaks TLS: it would turn callers of http:// to TLS", () => {
  const { answers = [] } = ask("vault.mesh", "UNKNOWN_65");
  expect(answers).toMatchObject([{ name: "vault.mesh", type: "UNKNOWN_65" }]);
  const bytes = [...(answers[0] as unknown as { data: Uint8Array }).data];
  expect(bytes).toEqual([0, 1, 0, 0, 3, 0, 2, 0x20, 0x08, 0, 4, 0, 4, 127, 100, 1, 10]);
  const raw65 = answerer.answer(raw("vault.mesh", "UNKNOWN_65"), "udp") as Uint8Array;
  expect(Buffer.from(raw65).includes(Buffer.from([0, 65, 0, 1, 0, 0, 0, 5]))).toBe(true);
});

test("names of others are refused, whatever is asked, and never answered as empty", () => {
  for (const type of ["A", "AAAA", "UNKNOWN_65", "SOA"])
    for (const name of ["example.com", "mesh.example", "notmesh", "."])
      expect(shown(name, type)).toBe("REFUSED foreign");
  expect(shown("mesh", "AXFR")).toBe("REFUSED foreign");
  expect(
    ask("orders.mesh", "A", { questions: [{ name: "orders.mesh", type: "A", class: "CH" }] }).rcode,
  ).toBe("REFUSED");
});

test("an answer repeats the question as it came, in upper and lower case and with dots inside of labels", () => {
  const mixed = raw("oRDErs.MesH", "A");
  const answer = answerer.answer(mixed, "udp") as Uint8Array;
  expect(Buffer.from(answer.subarray(12, mixed.length))).toEqual(Buffer.from(mixed.subarray(12)));
  expect(decode(Buffer.from(answer)).answers).toMatchObject([{ data: "127.100.0.7" }]);
  const head = Buffer.from([0, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0]);
  const dotted = Buffer.concat([head, Buffer.from("\x0Borders.prod\x04mesh\0\0\x01\0\x01", "latin1")]);
  const told = answerer.answer(dotted, "udp") as Uint8Array;
  expect(Buffer.from(told.subarray(12, dotted.length))).toEqual(dotted.subarray(12));
  expect((told[3] as number) & 15).toBe(3);
});

test("an id, the wish for recursion and the checking bit come back; recursion is not offered", () => {
  const answer = ask("orders.mesh", "A", { id: 99, flags: 0x110 });
  expect(answer).toMatchObject({
    id: 99,
    type: "response",
    flag_rd: true,
    flag_cd: true,
    flag_ra: false,
    flag_tc: false,
  });
});

test("a service that cannot be reached at an address here has none, and the answer says why to who reads it", () => {
  expect(shown("held.mesh")).toBe("NOERROR own SOA");
  const bytes = answerer.answer(raw("held.mesh", "A", { additionals: [opt] }), "udp") as Uint8Array;
  expect(Buffer.from(bytes).toString("latin1")).toContain("port 80 is held by nginx (pid 812)");
  expect(decode(Buffer.from(bytes)).additionals).toMatchObject([{ type: "OPT", options: [{ code: 15 }] }]);
});

test("EDNS is answered with EDNS, and a version that is not known with BADVERS", () => {
  expect(ask("orders.mesh").additionals).toEqual([]);
  const { additionals } = ask("orders.mesh", "A", { additionals: [{ ...opt, flags: 0x8000 }] });
  expect(additionals).toMatchObject([
    { type: "OPT", udpPayloadSize: 1232, ednsVersion: 0, flag_do: true, options: [] },
  ]);
  const late = ask("orders.mesh", "A", { additionals: [{ ...opt, ednsVersion: 1 }] });
  expect(late).toMatchObject({
    rcode: "NOERROR",
    answers: [],
    additionals: [{ extendedRcode: 1, ednsVersion: 0 }],
  });
});

test("over UDP additional records give way first, then the answer is cut and says so; TCP has it whole", () => {
  const long = "n".repeat(63);
  const wide = new Answerer({ counted: () => {}, broken: () => {} });
  wide.serve(new Zone([service(long, long, { address: "127.100.0.1" })], "default"));
  const name = `_http._tcp.${long}.${long}.mesh`;
  const told = (
    transport: "udp" | "tcp",
    packet: Partial<Packet> = {},
  ): DecodedPacket & { length: number } => {
    const bytes = wide.answer(raw(name, "SRV", packet), transport) as Uint8Array;
    return { ...decode(Buffer.from(bytes)), length: bytes.length };
  };
  const small = told("udp");
  expect(small.length).toBeLessThanOrEqual(512);
  expect(small).toMatchObject({ flag_tc: false, additionals: [] });
  expect(small.answers).toHaveLength(1);
  expect(told("tcp").additionals).toHaveLength(1);
  const far = told("udp", { additionals: [opt] });
  expect(far.additionals?.map((each) => each.type)).toEqual(["A", "OPT"]);
});

test("what cannot be read is FORMERR, another operation is not implemented, and answers are met with silence", () => {
  const query = raw("orders.mesh", "A");
  const rcodeOf = (bytes: Uint8Array): number | null => {
    const answer = answerer.answer(bytes, "udp");
    return answer === null ? null : (answer[3] as number) & 15;
  };
  expect(rcodeOf(query.subarray(0, 20))).toBe(1);
  expect(rcodeOf(raw("orders.mesh", "A", { questions: [] }))).toBe(1);
  expect(rcodeOf(raw("orders.mesh", "A", { additionals: [opt, opt] }))).toBe(1);
  expect(rcodeOf(raw("orders.mesh", "A", { flags: 5 << 11 }))).toBe(4);
  expect(rcodeOf(raw("orders.mesh", "A", { type: "response" }))).toBeNull();
  expect(rcodeOf(query.subarray(0, 11))).toBeNull();
});

test("before there are names everything is SERVFAIL, since silence would hold callers for minutes", () => {
  const early = new Answerer({ counted: () => {}, broken: () => {} });
  const answer = decode(Buffer.from(early.answer(raw("orders.mesh", "A"), "udp") as Uint8Array));
  expect((answer as unknown as { rcode: string }).rcode).toBe("SERVFAIL");
});

test("what breaks inside is told and answered as SERVFAIL", () => {
  const faults: unknown[] = [];
  const fragile = new Answerer({ counted: () => {}, broken: (error) => faults.push(error) });
  fragile.serve({
    find: () => {
      throw new Error("a bug");
    },
  } as unknown as Zone);
  const answer = fragile.answer(raw("orders.mesh", "A"), "udp") as Uint8Array;
  expect((answer[3] as number) & 15).toBe(2);
  expect(faults).toHaveLength(1);
});

test("each answer is counted by type and result, and made-up types share one name", () => {
  counts.length = 0;
  for (const [name, type] of [
    ["orders.mesh", "A"],
    ["x.mesh", "AAAA"],
    ["orders.mesh", "MX"],
    ["a.example", "UNKNOWN_4711"],
  ] as const)
    ask(name, type);
  expect(counts).toEqual(["A answer", "AAAA nxdomain", "other nodata", "other refused"]);
});

test("an answer costs little, the same question and made-up names alike", () => {
  const queries = Array.from({ length: 1_000 }, (_, at) =>
    raw(at % 2 === 0 ? "orders.mesh" : `made-up-${at}.mesh`, "A"),
  );
  for (const query of queries) answerer.answer(query, "udp");
  const spentMs = processorClock();
  for (let round = 0; round < 20; round++) for (const query of queries) answerer.answer(query, "udp");
  expect(spentMs() / 20).toBeLessThan(40);
});
