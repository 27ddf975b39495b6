/**
 * Asks every machine that is connected for its traffic, for as long as it is, and keeps what it tells. A machine is believed
 * of its own services alone.
 */
import * as v from "valibot";
import { limits } from "../../model/limits.ts";
import { serviceKey } from "../../model/service.ts";
import type { TrafficEdge, TrafficReading } from "../../model/traffic_reading.ts";
import type { AskedLine } from "../../api/questions.ts";
import type { Asks } from "../asks.ts";
import type { Catalog } from "../catalog.ts";
import type { TrafficHistory } from "./traffic_history.ts";

const count = v.pipe(v.number(), v.finite(), v.minValue(0));
const key = v.pipe(v.string(), v.maxLength(limits.labelValueLengthMax));
const buckets = v.pipe(v.array(count), v.maxLength(64));
const readingSchema = v.object({
  coveredMs: count,
  version: v.pipe(v.string(), v.maxLength(64)),
  residentBytes: count,
  cpuSeconds: count,
  bounds: buckets,
  left: count,
  edges: v.pipe(
    v.array(
      v.object({
        direction: v.picklist(["inbound", "outbound"]),
        from: key,
        to: key,
        requests: count,
        failed: count,
        secure: count,
        bytes: count,
        tcpOpen: count,
        durations: buckets,
      }),
    ),
    v.maxLength(limits.trafficReadingEdgesMax),
  ),
}) satisfies v.GenericSchema<TrafficReading>;

/** What a machine last told of its proxy. */
export interface ProxyFigures {
  readonly version: string;
  readonly residentBytes: number;
  readonly processors: number;
}

interface Watched {
  readonly stop: () => void;
  figures: ProxyFigures | null;
  /** It tells nothing, and why. */
  problem: string | null;
}

export class TrafficWatch {
  readonly #machines = new Map<string, Watched>();

  constructor(
    readonly asks: Pick<Asks, "follow">,
    readonly catalog: Pick<Catalog, "nodes">,
    readonly history: TrafficHistory,
  ) {}

  /** What it is asked goes to the stream that it began last. */
  connected(machine: string): void {
    const before = this.#machines.get(machine);
    before?.stop();
    let open = true;
    const send = (line: unknown): boolean => {
      if (open) this.#heard(machine, line as AskedLine);
      return open;
    };
    const question = { what: "traffic" as const, everyMs: limits.trafficSampleMs };
    const watched: Watched = {
      stop: () => {
        open = false;
        end();
      },
      figures: before?.figures ?? null,
      problem: null,
    };
    this.#machines.set(machine, watched);
    const end = this.asks.follow(question, machine, { send, close: () => undefined });
  }

  disconnected(machine: string): void {
    this.#machines.get(machine)?.stop();
    this.#machines.delete(machine);
    this.history.forget(machine);
  }

  /** null: it has not told yet, or is away. */
  figures(machine: string): ProxyFigures | null {
    return this.#machines.get(machine)?.figures ?? null;
  }

  /** Machines that are connected and tell nothing. */
  silent(): string[] {
    return [...this.#machines].flatMap(([name, { problem }]) => (problem === null ? [] : [name])).sort();
  }

  #heard(machine: string, line: AskedLine): void {
    const watched = this.#machines.get(machine);
    if (watched === undefined) return;
    if (line.kind === "end") watched.problem = line.problem ?? "it ended";
    if (line.kind !== "line") return;
    const { success, output } = v.safeParse(readingSchema, line.line);
    if (!success) {
      watched.problem = "it tells what cannot be read";
      return;
    }
    const { version, residentBytes, cpuSeconds, coveredMs } = output;
    watched.problem = null;
    watched.figures = { version, residentBytes, processors: (cpuSeconds * 1_000) / Math.max(1, coveredMs) };
    this.history.take(machine, output, this.#mayTell(machine));
  }

  #mayTell(machine: string): (edge: TrafficEdge) => boolean {
    const services = this.catalog.nodes.get(machine)?.services ?? [];
    const own = new Set(services.map((service) => serviceKey(service)));
    return ({ direction, from, to }) => own.has(direction === "inbound" ? to : from);
  }
}
