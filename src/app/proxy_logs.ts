/**
 * What a proxy writes: its access log on stdout and its own log on stderr, or both into the journal of systemd with fields, where they
 * lead there. Nothing waits for whoever reads them.
 */
import type { Runtime } from "../../runtime/contract.ts";
import { printableJson, printableLines } from "../base/printable.ts";
import { limits } from "../model/limits.ts";
import type { Snapshot } from "../model/snapshot.ts";
import { accessLogDefaults } from "../model/telemetry.ts";
import { Journal, leadsToJournal } from "../systemd/journal.ts";
import { AccessLog, accessLogLimits } from "../telemetry/access_log.ts";
import { families } from "../telemetry/families.ts";
import { LineOutput } from "../telemetry/line_output.ts";
import { logAs } from "../telemetry/log_line.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import { entryOfAccess, entryOfText } from "./journal_entries.ts";

/** Where lines go; nobody waits for whoever reads them. */
export type Lines = Pick<LineOutput, "write" | "flush" | "lost">;

/** Hears what a proxy says of itself, and when: milliseconds since 1970. */
type Listener = (text: string, atMs: number) => void;

export class ProxyLogs {
  readonly accessLog: AccessLog;
  /** Says something of the proxy itself. */
  readonly log: (text: string) => void;
  readonly #out: Lines;
  readonly #err: Lines;
  /** Where output leads there: what is said has fields then. */
  readonly #journal: Journal | null;
  /** Who hears what is said, too. */
  readonly #listeners = new Set<Listener>();
  /** What was said while nobody listened yet, for whoever does first; null: somebody did. */
  #early: (readonly [text: string, atMs: number])[] | null = [];

  /**
   * `sampleRatio`: share of unremarkable exchanges in the access log, whatever the mesh says; null: as the mesh says. `outputs`: for the
   * access log and for what is said, where that is not what this process has.
   */
  constructor(
    { process, native, clock }: Pick<Runtime, "process" | "native" | "clock">,
    readonly sampleRatio: number | null,
    outputs?: { readonly out: Lines; readonly err: Lines },
  ) {
    const write1 = (text: string): void => process.stdout(printableJson(text));
    const write2 = (text: string): void => process.stderr(printableLines(text));
    this.#out = outputs?.out ?? new LineOutput({ native, descriptor: 1, write: write1 });
    this.#err = outputs?.err ?? new LineOutput({ native, descriptor: 2, write: write2 });
    this.#journal = leadsToJournal(native, process, 1) ? new Journal(native) : null;
    const plain = logAs({ stderr: (text) => this.#err.write(text) }, "proxy");
    this.log = (text) => {
      if (this.#journal?.write(entryOfText(text)) !== true) plain(text);
      this.#tell(text, clock.wallMs());
    };
    const write = (lines: string): void => this.#out.write(printableJson(lines));
    this.accessLog = new AccessLog({
      ...this.#settings({}),
      write: this.#journal === null ? write : () => {},
      wallMs: () => clock.wallMs(),
    });
    const journal = this.#journal;
    if (journal !== null)
      this.accessLog.also((entry) => {
        if (!journal.write(entryOfAccess(entry))) write(`${entry.text}\n`);
      });
  }

  /** Whoever listens first hears what was said before, too, as far as that is kept. Returns what ends it. */
  listen(listener: Listener): () => void {
    const early = this.#early ?? [];
    this.#early = null;
    for (const [text, atMs] of early) listener(text, atMs);
    this.#listeners.add(listener);
    return () => void this.#listeners.delete(listener);
  }

  #tell(text: string, atMs: number): void {
    for (const listener of this.#listeners) listener(text, atMs);
    if (this.#early === null) return;
    if (this.#early.length >= limits.earlyLogLinesMax) this.#early.shift();
    this.#early.push([text, atMs]);
  }

  /** What the mesh says now. */
  apply({ telemetry = {} }: Pick<Snapshot, "telemetry">): void {
    this.accessLog.change(this.#settings(telemetry));
  }

  /** Whole lines of another event loop, for the access log (1) or of what is said (2). */
  pass(to: 1 | 2, lines: string): void {
    (to === 1 ? this.#out : this.#err).write(lines);
  }

  /** Counts lines that were lost, by the limit that did it. */
  expose(metrics: Metrics): void {
    const dropped = metrics.counter(families.accessLogDropped);
    const counted = [
      ...accessLogLimits.map((limit) => ({ limit, lost: () => this.accessLog.droppedBy(limit), count: 0 })),
      { limit: "logWaitingCharactersMax", lost: () => this.#lost, count: 0 },
    ];
    metrics.collect(() => {
      for (const each of counted) {
        const lost = each.lost();
        dropped(each.limit).add(lost - each.count);
        each.count = lost;
      }
    });
  }

  /** Writes what was gathered, as far as it is read. */
  flush(): void {
    this.accessLog.flush();
    this.#out.flush();
    this.#err.flush();
    this.#journal?.flush();
  }

  get #lost(): number {
    return this.#out.lost + this.#err.lost + (this.#journal?.lost ?? 0);
  }

  #settings({ accessLog }: NonNullable<Snapshot["telemetry"]>) {
    const { samplePercent, slowMs } = { ...accessLogDefaults, ...accessLog };
    return { sampleRatio: this.sampleRatio ?? samplePercent / 100, slowMs };
  }
}
