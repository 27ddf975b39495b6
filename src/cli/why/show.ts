/**
 * One request explained in plain words: how it ended and whose fault that is, then each hop as both sides saw it; and what would become of
 * one that has not happened.
 */
import { formatDuration } from "../../base/duration.ts";
import type { CallerView, Evidence, EndpointView } from "../../model/evidence.ts";
import type { Flag } from "../../model/outcome.ts";
import { streamsText, type StreamCounts } from "../../model/stream_kind.ts";
import { sides } from "../../proxy/failure/rescue.ts";
import { retryRefusals, type RetryRefusal } from "../../proxy/retry/retry_decision.ts";
import type { Terminal } from "../terminal.ts";
import { text, type Text } from "../text.ts";
import { flagMeanings } from "../explain/flags_chapter.ts";
import type { DecideQuestion } from "../../app/decide.ts";
import type { Hypothesis } from "./hypothesis.ts";
import { nextCommand } from "./next_command.ts";
import { isFailure, type Cause, type Hop, type Seen, type Story } from "./story.ts";

/** Who ended it, by how it ended. */
const ended: Partial<Readonly<Record<Flag, string>>> = {
  DC: "the client closed first",
  UC: "the service closed its connection first",
  UR: "the service reset it first",
  UT: "heddle gave up waiting for the service",
  SI: "heddle gave up waiting for the service",
  DT: "the proxy ended",
  UPE: "heddle closed it to the service",
};

const labelWidth = 11;
/** Routes, rules and endpoints that are shown before the rest is only counted. */
const shownMax = 20;

export class Shown {
  constructor(readonly terminal: Terminal) {}

  story(requestId: string, { hops, cause }: Story): void {
    const { terminal } = this;
    const [first] = hops;
    const seen = first?.caller ?? first?.callees[0];
    if (first === undefined || seen === undefined) return;
    const when = new Date(seen.atMs).toISOString();
    terminal.line(text`Request ${terminal.paint.bold(requestId)} at ${when}`);
    terminal.line(
      text`${from(first.source)} ${"->"} ${first.service}: ${what(seen.record)}, ${this.#end(seen.record)}`,
    );
    terminal.line();
    this.#verdict(seen.record, cause);
    hops.forEach((hop, at) => this.#hop(hop, at + 1));
  }

  #verdict({ durationMs }: Evidence, cause: Cause | null): void {
    const { paint } = this.terminal;
    if (durationMs === null) this.terminal.line(paint.yellow("It is under way."));
    else if (cause === null) this.terminal.line(paint.green("It ended well."));
    else {
      const flag = cause.flag === null ? "" : ` (${cause.flag})`;
      this.terminal.line(
        text`${paint.red("At fault:")} ${sides[cause.side]}${flag}, as ${cause.machine} saw it.`,
      );
      this.terminal.line(text`${cause.means}: ${cause.detail}.`);
      this.terminal.line(text`${paint.bold("Next:")} ${cause.next}`);
    }
  }

  #hop({ source, service, caller, callees }: Hop, number: number): void {
    const { terminal } = this;
    terminal.line();
    terminal.line(terminal.paint.bold(`${number}. ${from(source)} calls ${service}`));
    if (caller === null) this.#row("caller", "no proxy that answered remembers its side");
    else this.#caller(caller);
    for (const callee of callees) this.#callee(callee);
    if (callees.length === 0 && caller !== null)
      this.#row(
        "callee",
        caller.record.endpoint === ""
          ? "no instance was called"
          : "no proxy that answered remembers its side",
      );
  }

  #caller({ machine, record, caller }: Seen): void {
    this.#row("caller", text`on ${machine}: ${this.#end(record)}`);
    this.#row("identities", identitiesOf(record));
    if (record.kind === "http") this.#route(record, caller);
    this.#policies(record);
    for (const [at, { endpoint, ms, result }] of record.attempts.entries())
      this.#row(
        at === 0 ? "attempts" : "",
        text`${at + 1}. ${endpoint}: ${this.#result(result)} after ${time(ms)}`,
      );
    if (record.attempts.length === 0 && record.endpoint !== "")
      this.#row("attempts", `1. ${record.endpoint}: answered`);
    if (record.noRetry !== "" && isFailure(record))
      this.#row("", text`not sent again: ${retryRefusals[record.noRetry as RetryRefusal] ?? record.noRetry}`);
    if (record.ejected !== "")
      this.#row("", text`after it circuit breaking took ${record.endpoint} out (${record.ejected})`);
    this.#times(record);
    if (caller !== null) this.#views(caller);
  }

  #callee({ machine, record, callee }: Seen): void {
    this.#row("callee", text`on ${machine}: ${this.#end(record)}`);
    if (record.access !== null) {
      const { verdict, rule } = record.access;
      this.#row("access", text`${this.#word(verdict, verdict === "allow")} by ${ruleText(rule)}`);
    }
    if (callee !== null && callee.limits.length > 0) this.#row("rates", callee.limits.join(", "));
    this.#streams(callee?.streams);
    if (record.endpoint !== "") this.#row("app", record.endpoint);
    this.#times(record);
  }

  #route({ route, policies }: Evidence, view: CallerView | null): void {
    const led = policies.find(({ action }) => action === "route");
    const chosen =
      route === "" ? "none: the service has no routes" : route === "unmatched" ? "none matched" : route;
    this.#row(
      "route",
      led === undefined ? chosen : `${chosen}; the policy ${led.name} led it to ${led.said}`,
    );
    if (view === null) return this.#row("", "what routes there are is not known there any more");
    if (route !== "" && route !== "unmatched" && !view.routes.some((each) => each.chosen))
      this.#row("", "the routes have changed since");
    this.#losers(view);
  }

  hypothesis({ from: source, to, method, path }: DecideQuestion, hypothesis: Hypothesis): void {
    const { terminal } = this;
    const { verdict, caller, callees, others } = hypothesis;
    const { flag, detail } = verdict;
    terminal.line(text`${terminal.paint.bold(`${source} -> ${to}`)}: ${method} ${path}, if it came now`);
    terminal.line();
    if (flag === null) terminal.line(text`${terminal.paint.green("Yes:")} ${detail}.`);
    else {
      terminal.line(text`${terminal.paint.red(`No (${flag}):`)} ${detail}.`);
      terminal.line(`${flagMeanings[flag].means}.`);
      terminal.line(text`${terminal.paint.bold("Next:")} ${nextCommand(flag, { service: to, machine: "" })}`);
    }
    terminal.line();
    if (caller !== null) this.#wouldCall(caller, others);
    for (const callee of callees) this.#wouldAnswer(callee);
  }

  #wouldCall(caller: NonNullable<Hypothesis["caller"]>, others: readonly string[]): void {
    const { machine, version, sourceId, destinationId, policies, routes } = caller;
    const also = others.length === 0 ? "" : `; ${others.join(", ")} would decide too`;
    this.#row("caller", `on ${machine}, snapshot ${version.slice(0, 8)}${also}`);
    this.#row("identities", `${sourceId || "none"} -> ${destinationId}`);
    const chosen = routes.find((each) => each.chosen);
    const none = routes.length === 0 ? "none: the service has no routes" : "none matches";
    this.#row("route", chosen === undefined ? none : `${chosen.name}: ${chosen.match}`);
    this.#losers(caller);
    if (policies.length > 0) this.#row("policies", `asked in this order: ${policies.join(", ")}`);
    this.#views(caller);
  }

  #wouldAnswer({ machine, access, rules, otherwise, limits, streams }: Hypothesis["callees"][number]): void {
    const { verdict, rule } = access;
    this.#row(
      "access",
      text`${this.#word(verdict, verdict === "allow")} by ${ruleText(rule)}, on ${machine}`,
    );
    for (const { id, effect, mode, from: whose, methods, paths } of rules.slice(0, shownMax)) {
      const what = [methods.join(","), paths.join(" ")].filter((words) => words !== "").join(" ") || "all";
      const mark = id === rule ? "decides" : "";
      this.#row(
        "",
        `${effect} ${whose}: ${what} (${id}${mode === "audit" ? ", on trial" : ""}) ${mark}`.trimEnd(),
      );
    }
    if (rules.length > 0) this.#row("", `else ${otherwise}`);
    if (limits.length > 0) this.#row("rates", limits.join(", "));
    this.#streams(streams);
  }

  /** Routes that the request did not take. */
  #losers({ routes }: CallerView): void {
    const lost = routes.filter(({ chosen }) => !chosen);
    for (const { name, because } of lost.slice(0, shownMax)) this.#row("", text`not ${name}: ${because}`);
    if (lost.length > shownMax) this.#row("", `and ${lost.length - shownMax} more`);
  }

  #policies({ policies }: Evidence): void {
    for (const [at, { name, action, failure, said, reason, us }] of policies.entries()) {
      const words = [action, failure, said].filter((word) => word !== "").join(" ");
      const why = reason === "" ? "" : `: ${reason}`;
      this.#row(
        at === 0 ? "policies" : "",
        text`${name} decided ${this.#word(words, action !== "error")} in ${time(us / 1_000)}${why}`,
      );
    }
  }

  #times({ firstByteMs, durationMs, bytesIn, bytesOut, outcome, upgrade, grpc }: Evidence): void {
    const head = firstByteMs === null ? "no answer began" : `the answer began after ${time(firstByteMs)}`;
    const over = durationMs === null ? "it goes on" : `all was over after ${time(durationMs)}`;
    this.#row("times", `${head}; ${over}`);
    const by =
      outcome === null
        ? durationMs === null
          ? ""
          : "; whole"
        : `; ${ended[outcome.flag] ?? "heddle answered itself"}`;
    this.#row("bytes", `${bytesIn} to the service, ${bytesOut} from it${by}`);
    if (upgrade !== "") this.#row("upgrade", upgrade);
    if (grpc !== "") this.#row("grpc", `status ${grpc}`);
  }

  /** What holds now. */
  #views(view: CallerView): void {
    const { live, endpoints, endpointCount, backends } = view;
    if (backends.length > 1 || backends.some(({ subset, invalid }) => subset !== null || invalid !== null))
      for (const [at, { service, subset, share, invalid }] of backends.entries()) {
        const to = subset === null ? service : `${service}/${subset}`;
        const bad = invalid === null ? "" : `, not valid: ${invalid}`;
        this.#row(at === 0 ? "backends" : "", `${(share * 100).toFixed(0)} % to ${to}${bad}`);
      }
    if (endpoints.length === 0) this.#row("endpoints", "none");
    for (const [at, endpoint] of endpoints.slice(0, shownMax).entries())
      this.#row(at === 0 ? "endpoints" : "", this.#endpoint(endpoint));
    const more = endpointCount - Math.min(shownMax, endpoints.length);
    if (more > 0) this.#row("", `and ${more} more`);
    if (live === null) return;
    const { underWay, underWayMax, waiting, retriesLeft } = live;
    const waits = waiting === 0 ? "nobody waits" : `${waiting} wait`;
    this.#row(
      "limits",
      `${underWay} of ${underWayMax} requests under way, ${waits}; ${retriesLeft} retries left`,
    );
    this.#streams(live.streams);
  }

  #streams(counts: StreamCounts = {}): void {
    const open = streamsText(counts);
    if (open !== "") this.#row("streams", `${open} open now: each holds its place until it ends`);
  }

  #endpoint({ id, zone, state, reason, probeInMs, pending, load }: EndpointView): Text {
    const { paint } = this.terminal;
    const shown =
      state === "ready" ? paint.green(state) : paint.red(reason === "" ? state : `${state} (${reason})`);
    const where = zone === "" ? "" : `, zone ${zone}`;
    const probe = probeInMs > 0 ? `, probed in ${formatDuration(probeInMs)}` : "";
    const busy = pending === null ? "" : `, ${pending} under way, load ${load ?? 0}`;
    return text`${id}: ${shown} now${where}${probe}${busy}`;
  }

  #end({ status, outcome, durationMs, kind }: Evidence): Text {
    if (durationMs === null) return this.terminal.paint.yellow("under way");
    const answer = kind === "tcp" || status === 0 ? "" : `${status} `;
    const flag = outcome === null ? "" : `${outcome.flag} `;
    return text`${this.#word(`${answer}${flag}`.trim() || "done", outcome === null && status < 500)} after ${time(durationMs)}`;
  }

  #result(result: string): Text {
    return this.#word(result, result === "ok");
  }

  #word(words: string, good: boolean): Text {
    return good ? this.terminal.paint.green(words) : this.terminal.paint.red(words);
  }

  /** A line of a hop; "" goes on with what the one before was about. */
  #row(label: string, content: Text): void {
    this.terminal.line(text`   ${this.terminal.paint.dim(label.padEnd(labelWidth))}${content}`);
  }
}

function what({ kind, method, path, protocol }: Evidence): string {
  return kind === "tcp" ? `a connection (${protocol})` : `${method} ${path} (${protocol})`;
}

function from(source: string): string {
  return source === "" ? "somebody unknown" : source;
}

function ruleText(rule: string): string {
  return rule === "default" ? "default (no rule of its own)" : `the rule ${rule}`;
}

function identitiesOf({ sourceId, destinationId, tls }: Evidence): string {
  const over = tls ? "mutual TLS" : destinationId === "" ? "nobody was reached" : "in this machine";
  return `${sourceId || "none"} -> ${destinationId || "none"}, ${over}`;
}

function time(ms: number): string {
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(2)} s`;
  return ms >= 10 ? `${ms.toFixed(0)} ms` : `${ms.toFixed(2)} ms`;
}
