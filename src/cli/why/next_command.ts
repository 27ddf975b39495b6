/** What to type, or where to look, when a request ended with a flag. */
import type { Flag } from "../../model/outcome.ts";

interface About {
  /** Key of the service that was called. */
  readonly service: string;
  /** Of the instance; "" when none was called. */
  readonly machine: string;
}

type Next = string | ((about: About) => string);

const onItsMachine: Next = ({ machine }) =>
  machine === "" ? "heddle check" : `heddle check, on the machine ${machine}`;
const itsLog: Next = ({ service, machine }) =>
  machine === "" ? `the log of the app of ${service}` : `the log of the app of ${service} on ${machine}`;

const commands: Readonly<Record<Flag, Next>> = {
  UH: "heddle status",
  UF: onItsMachine,
  UO: "heddle explain limits",
  NR: "heddle get HTTPRoute",
  NC: "heddle get Service",
  URX: ({ service }) => `heddle stat ${service}`,
  UT: itsLog,
  UC: itsLog,
  UR: itsLog,
  DC: "the log of the client: it gave up, or its own timeout was over",
  DPE: "heddle explain DPE",
  UPE: ({ service }) => `heddle get Service ${service.replace(/\.default$/, "")}`,
  DT: "heddle proxy --help (--drain)",
  SI: ({ service }) => `heddle get Service ${service.replace(/\.default$/, "")}`,
  AD: "heddle get Access",
  PD: "heddle policy list",
  PE: "heddle policy list",
  RL: ({ service }) => `heddle get traffic ${service.replace(/\.default$/, "")} --effective`,
  OM: "heddle explain OM",
  ID: onItsMachine,
  DP: "the log of the client: it said how long it waits (grpc-timeout, x-request-deadline)",
  FI: "heddle get HTTPRoute (fault), and heddle get Mesh (faults)",
};

export function nextCommand(flag: Flag, about: About): string {
  const next = commands[flag];
  return typeof next === "string" ? next : next(about);
}
