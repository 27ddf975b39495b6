/** Requests and connections as they end: what fits the filter, the newest on top, each a link to its explanation. */
import type { VNode } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { MeshView } from "../../api/dashboard_messages.ts";
import type { TapLine } from "../../model/evidence.ts";
import { badge, empty, serviceLink } from "../parts.ts";
import { go, linkTo, type Place } from "../router.ts";
import { ask, AskingFailed } from "../session.ts";
import * as html from "../tags.ts";
import { bytesText, clockText, countText, msText } from "../words.ts";
import { serviceField, textField } from "./fields.ts";
import { filterOf, type FilterWords } from "./tap_filter.ts";

interface TapProps {
  readonly mesh: MeshView | null;
  readonly place: Place;
}

type Shown = TapLine & { readonly machine: string; readonly at: number };

const [linesMax, perSecond, showEveryMs] = [500, 50, 250];
const names = ["service", "from", "to", "method", "path", "status", "slower", "flag"] as const;

export function TapPage({ mesh, place }: TapProps): VNode {
  const words = Object.fromEntries(names.map((name) => [name, place.query.get(name) ?? ""])) as Record<
    (typeof names)[number],
    string
  >;
  const [isPaused, setPaused] = useState(false);
  const { lines, dropped, problem, silent } = useTap(words, isPaused);
  const change = (name: string, value: string): void =>
    go(linkTo("tap", "", { ...words, [name]: value }), true);
  const field = (name: (typeof names)[number], label: string, hint: string): VNode =>
    textField(label, words[name] ?? "", hint, (value) => change(name, value));
  return html.div(
    { class: "page tap" },
    html.div(
      { class: "head" },
      html.h1(null, "Live requests"),
      html.div(
        { class: "actions" },
        dropped > 0
          ? badge(
              "warn",
              `${dropped} left out`,
              `More came than ${perSecond} a second from a proxy: narrow the filter`,
            )
          : null,
        html.button(
          { type: "button", class: "plain", "aria-pressed": isPaused, onClick: () => setPaused(!isPaused) },
          isPaused ? "Go on" : "Pause",
        ),
      ),
    ),
    html.form(
      { class: "fields", onSubmit: (event: Event) => event.preventDefault(), "aria-label": "Filter" },
      serviceField("Service", words.service, mesh, (value) => change("service", value)),
      serviceField("From", words.from, mesh, (value) => change("from", value)),
      serviceField("To", words.to, mesh, (value) => change("to", value)),
      field("method", "Method", "GET"),
      field("path", "Path", "/v1/*"),
      field("status", "Status", "5xx"),
      field("slower", "Slower than", "100ms"),
      field("flag", "Flag", "any"),
    ),
    problem === "" ? null : html.div({ class: "problem", role: "alert" }, html.strong(null, problem)),
    silent.length === 0 ? null : html.p({ class: "note" }, `Not in it: ${silent.join("; ")}`),
    lines.length === 0
      ? empty(
          isPaused ? "Paused" : "Waiting for requests that fit",
          "Heads only: no query, no body. Each line is one that ended, as its caller's proxy saw it.",
        )
      : lineList(lines),
  );
}

function lineList(lines: readonly Shown[]): VNode {
  return html.ol({ class: "taps", "aria-label": "Requests, the newest first" }, lines.map(tapLine));
}

function tapLine(line: Shown): VNode {
  const {
    at,
    atMs,
    source,
    service,
    kind,
    method,
    path,
    status,
    outcome,
    grpc,
    durationMs,
    attempts,
    endpoint,
    requestId,
    bytesOut,
    tls,
    machine,
  } = line;
  const isBad = outcome !== null || status >= 500;
  const result =
    [status === 0 ? "" : String(status), grpc === "" ? "" : `grpc ${grpc}`, outcome?.flag ?? ""]
      .filter((word) => word !== "")
      .join(" ") || "done";
  const health = isBad ? "bad" : status >= 400 ? "warn" : "good";
  return html.li(
    { key: at },
    html.span({ class: "when" }, clockText(atMs)),
    badge(health, result, outcome?.detail ?? ""),
    html.span(
      { class: "ends" },
      serviceLink(source),
      html.span({ class: "muted" }, " → "),
      serviceLink(service),
    ),
    html.span(
      { class: "what" },
      html.strong(null, kind === "tcp" ? "connection" : method),
      " ",
      html.code(null, path),
    ),
    html.span({ class: "took" }, msText(durationMs)),
    html.span(
      { class: "rest muted" },
      bytesText(bytesOut),
      attempts > 1 ? `, ${countText(attempts, "attempt")}` : "",
      endpoint === "" ? "" : `, ${endpoint.split("/")[0] ?? ""}`,
      tls ? ", mTLS" : ", local",
      `, told by ${machine}`,
    ),
    html.a(
      { class: "explain", href: linkTo("why", requestId), "aria-label": `Explain the request ${requestId}` },
      "explain",
    ),
  );
}

interface Tapped {
  readonly lines: readonly Shown[];
  readonly dropped: number;
  readonly problem: string;
  readonly silent: readonly string[];
}

const nothing: Tapped = { lines: [], dropped: 0, problem: "", silent: [] };

function useTap(words: FilterWords, isPaused: boolean): Tapped {
  const [tapped, setTapped] = useState(nothing);
  const count = useRef(0);
  const asked = JSON.stringify(words);
  useEffect(() => {
    setTapped((before) => (isPaused ? before : nothing));
    if (isPaused) return;
    const filter = filterOf(words);
    if (!filter.ok) {
      setTapped({ ...nothing, problem: filter.problem });
      return;
    }
    const leaving = new AbortController();
    let [waiting, dropped, silent]: [Shown[], number, string[]] = [[], 0, []];
    const timer = setInterval(() => {
      if (waiting.length === 0 && dropped === 0 && silent.length === 0) return;
      const [lines, lost, more] = [waiting.toReversed(), dropped, silent];
      [waiting, dropped, silent] = [[], 0, []];
      setTapped((was) => ({
        ...was,
        lines: [...lines, ...was.lines].slice(0, linesMax),
        dropped: was.dropped + lost,
        silent: [...new Set([...was.silent, ...more])],
      }));
    }, showEveryMs);
    const question = { what: "tap" as const, filter: filter.value, perSecond };
    ask({ question, machines: null }, leaving.signal, (line) => {
      if (line.kind === "line")
        waiting = [
          ...waiting.slice(-linesMax),
          { ...(line.line as TapLine), machine: line.machine, at: count.current++ },
        ];
      else if (line.kind === "dropped") dropped += line.count;
      else if (line.kind === "end") silent = [...silent, `${line.machine} (${line.problem ?? "it ended"})`];
    }).then(
      () => setTapped((was) => ({ ...was, problem: "No machine tells anything any more" })),
      (error: unknown) => {
        if (leaving.signal.aborted) return;
        const problem =
          error instanceof AskingFailed ? error.message : "The controller does not answer any more";
        setTapped((was) => ({ ...was, problem }));
      },
    );
    return () => {
      leaving.abort();
      clearInterval(timer);
    };
  }, [asked, isPaused]);
  return tapped;
}
