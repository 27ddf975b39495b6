/** One request explained, by its id, or what would become of one that has not happened: as `heddle why` tells it. */
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import type { MeshView } from "../../api/dashboard_messages.ts";
import type { Question } from "../../api/questions.ts";
import { hypothesisOf, type Decided } from "../../cli/why/hypothesis.ts";
import { storyOf, type Seen } from "../../cli/why/story.ts";
import { empty } from "../parts.ts";
import { go, linkTo, type Place } from "../router.ts";
import { ask, AskingFailed } from "../session.ts";
import * as html from "../tags.ts";
import { serviceField } from "./fields.ts";
import { hypothesisShown } from "./hypothesis_shown.ts";
import { storyShown } from "./story_shown.ts";
import { keyOrNull } from "./tap_filter.ts";

interface WhyProps {
  readonly mesh: MeshView | null;
  readonly place: Place;
}

type Decide = Extract<Question, { readonly what: "decide" }>;

export function WhyPage({ mesh, place }: WhyProps): VNode {
  const question = questionOf(place);
  const { lines, silent, problem, done } = useAnswers(question);
  return html.div(
    { class: "page why" },
    html.div({ class: "head" }, html.h1(null, "Explain a request")),
    html.div({ class: "columns" }, byId(place.what), byEnds(place.query, mesh)),
    problem === "" ? null : html.div({ class: "problem", role: "alert" }, html.strong(null, problem)),
    silent.length === 0 ? null : html.p({ class: "note" }, `Not in it: ${silent.join("; ")}`),
    html.div({ role: "status" }, question === null ? null : answer(question, lines, done && problem === "")),
  );
}

function answer(question: Question, lines: readonly unknown[], done: boolean): VNode | null {
  if (question.what === "decide")
    return done ? hypothesisShown(question, hypothesisOf(question, lines as Decided[])) : null;
  if (lines.length > 0) return storyShown(storyOf(lines as Seen[]));
  if (!done || question.what !== "request") return html.div({ class: "loading" }, "Asking the machines…");
  return empty(
    `No proxy that answered remembers the request ${question.id}`,
    "Each remembers its last 10,000 while it runs. The access log may have it",
  );
}

/** null: nothing is asked yet. */
function questionOf({ what, query }: Place): Question | null {
  if (what !== "") return { what: "request", id: what };
  const [from, to] = [keyOrNull(query.get("from") ?? ""), keyOrNull(query.get("to") ?? "")];
  if (from === null || to === null) return null;
  const method = (query.get("method") ?? "") || "GET";
  const path = ((query.get("path") ?? "") || "/").split("?")[0] ?? "/";
  return {
    what: "decide",
    from,
    to,
    method: method.toUpperCase(),
    path,
    headers: headersOf(query.get("headers") ?? ""),
  };
}

/** `x-user: beta; accept: text/html`. */
function headersOf(text: string): Decide["headers"] {
  return text
    .split(";")
    .map((pair) => /^\s*([\w!#$%&'*+.^`|~-]+)\s*:\s*(.*?)\s*$/.exec(pair))
    .flatMap((found) =>
      found === null ? [] : [{ name: (found[1] ?? "").toLowerCase(), value: found[2] ?? "" }],
    );
}

function byId(id: string): VNode {
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const wanted = valueOf(event, "id").trim();
    if (wanted !== "") go(linkTo("why", wanted));
  };
  return html.form(
    { class: "card ask", onSubmit: submit },
    html.div({ class: "card-head" }, html.h2(null, "One that happened")),
    html.label(
      { class: "field" },
      html.span(null, "Request id"),
      html.input({
        name: "id",
        defaultValue: id,
        key: id,
        placeholder: "x-request-id of its answer",
        autocomplete: "off",
        spellcheck: false,
        pattern: "[A-Za-z0-9._\\-]{1,128}",
        required: true,
      }),
    ),
    html.button({ class: "main" }, "Explain it"),
  );
}

function byEnds(query: URLSearchParams, mesh: MeshView | null): VNode {
  const now = (name: string): string => query.get(name) ?? "";
  const all = {
    from: now("from"),
    to: now("to"),
    method: now("method"),
    path: now("path"),
    headers: now("headers"),
  };
  const change =
    (name: keyof typeof all) =>
    (value: string): void =>
      go(linkTo("why", "", { ...all, [name]: value }), true);
  const submit = (event: SubmitEvent): void => {
    event.preventDefault();
    const typed = {
      method: valueOf(event, "method"),
      path: valueOf(event, "path"),
      headers: valueOf(event, "headers"),
    };
    go(linkTo("why", "", { ...all, ...typed, path: typed.path || "/" }));
  };
  const text = (name: "method" | "path" | "headers", label: string, hint: string): VNode =>
    html.label(
      { class: "field" },
      html.span(null, label),
      html.input({
        name,
        key: all[name],
        defaultValue: all[name],
        placeholder: hint,
        autocomplete: "off",
        spellcheck: false,
      }),
    );
  return html.form(
    { class: "card ask", onSubmit: submit },
    html.div({ class: "card-head" }, html.h2(null, "One that has not happened")),
    html.div(
      { class: "fields" },
      serviceField("Caller", all.from, mesh, change("from"), "choose"),
      serviceField("Service", all.to, mesh, change("to"), "choose"),
      text("method", "Method", "GET"),
      text("path", "Path", "/"),
      text("headers", "Header fields", "x-user: beta; accept: */*"),
    ),
    html.button({ class: "main" }, "What would happen?"),
  );
}

function valueOf({ currentTarget }: SubmitEvent, name: string): string {
  const field = currentTarget instanceof HTMLFormElement ? currentTarget.elements.namedItem(name) : null;
  return field instanceof HTMLInputElement ? field.value : "";
}

interface Answers {
  readonly lines: readonly unknown[];
  readonly silent: readonly string[];
  readonly problem: string;
  /** Every machine has answered. */
  readonly done: boolean;
}

const nothing: Answers = { lines: [], silent: [], problem: "", done: false };

function useAnswers(question: Question | null): Answers {
  const [answers, setAnswers] = useState(nothing);
  const asked = JSON.stringify(question);
  useEffect(() => {
    setAnswers(nothing);
    if (question === null) return;
    const leaving = new AbortController();
    const heard: { lines: unknown[]; silent: string[] } = { lines: [], silent: [] };
    ask({ question, machines: null }, leaving.signal, (line) => {
      if (line.kind === "line") heard.lines.push({ machine: line.machine, ...(line.line as object) });
      if (line.kind === "end" && line.problem !== null)
        heard.silent.push(`${line.machine} (${line.problem})`);
    }).then(
      () => setAnswers({ ...heard, problem: "", done: true }),
      (error: unknown) => {
        if (leaving.signal.aborted) return;
        const problem =
          error instanceof AskingFailed ? error.message : "The controller does not answer any more";
        setAnswers({ ...heard, problem, done: true });
      },
    );
    return () => leaving.abort();
  }, [asked]);
  return answers;
}
