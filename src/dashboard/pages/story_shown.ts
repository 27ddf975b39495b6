/** A request that happened: how it ended and whose fault that is, then each hop as both sides saw it. */
import type { VNode } from "preact";
import type { Cause, Hop, Seen, Story } from "../../cli/why/story.ts";
import type { Evidence } from "../../model/evidence.ts";
import type { Health } from "../health.ts";
import { badge, card, serviceLink } from "../parts.ts";
import { linkTo } from "../router.ts";
import * as html from "../tags.ts";
import { bytesText, clockText, msText, none, shortKey } from "../words.ts";
import { callerViewShown, fact, losersShown, sideWords } from "./views_shown.ts";

export function storyShown({ hops, cause }: Story): VNode {
  const [first] = hops;
  const seen = first?.caller ?? first?.callees[0];
  return html.div(
    null,
    seen === undefined ? null : verdict(seen, cause),
    hops.map((hop, at) => hopShown(hop, at + 1)),
  );
}

function verdict({ record, atMs }: Seen, cause: Cause | null): VNode {
  const isOpen = record.durationMs === null;
  const health = isOpen ? "idle" : cause === null ? "good" : "bad";
  return html.section(
    { class: `card verdict ${health}` },
    html.h2(
      null,
      badge(health, isOpen ? "under way" : cause === null ? "ended well" : "failed"),
      " ",
      html.strong(null, record.kind === "tcp" ? "connection" : record.method),
      " ",
      html.code(null, record.path),
    ),
    html.p(
      { class: "muted" },
      `${shortKey(record.source)} → ${shortKey(record.service)}, ${clockText(atMs)}, ${record.requestId}`,
    ),
    cause === null || isOpen
      ? null
      : html.dl(
          { class: "facts" },
          fact(
            "At fault",
            `${sideWords[cause.side]}${cause.flag === null ? "" : ` (${cause.flag})`}, as ${cause.machine} saw it`,
          ),
          fact("What it means", `${cause.means}: ${cause.detail}`),
          fact("Next", html.code(null, cause.next)),
        ),
  );
}

function hopShown({ source, service, caller, callees }: Hop, number: number): VNode {
  const nobody =
    caller !== null && caller.record.endpoint === ""
      ? "No instance was called"
      : "No proxy that answered remembers this side";
  return card(
    [`${number}. `, serviceLink(source), " calls ", serviceLink(service)],
    caller === null ? null : endBadge(caller.record),
    html.div(
      { class: "columns hop" },
      caller === null
        ? html.p({ class: "muted" }, "No proxy that answered remembers the caller's side")
        : callerShown(caller),
      callees.length === 0 ? html.p({ class: "muted" }, nobody) : html.div(null, callees.map(calleeShown)),
    ),
  );
}

function endBadge({ status, outcome, durationMs, kind, grpc }: Evidence): VNode {
  if (durationMs === null) return badge("idle", "under way");
  const words = [
    kind === "tcp" || status === 0 ? "" : String(status),
    grpc === "" ? "" : `grpc ${grpc}`,
    outcome?.flag ?? "",
  ];
  const isGood = outcome === null && status < 500;
  return badge(
    isGood ? "good" : "bad",
    `${words.filter((word) => word !== "").join(" ") || "done"} after ${msText(durationMs)}`,
  );
}

function machineLink(machine: string): VNode {
  return html.a({ class: "name", href: linkTo("machines", machine) }, machine);
}

function callerShown({ machine, record, caller }: Seen): VNode {
  const { route, policies, attempts, endpoint, ejected, sourceId, destinationId, tls } = record;
  const led = policies.find(({ action }) => action === "route");
  const over = tls ? "mutual TLS" : destinationId === "" ? "nobody was reached" : "in this machine";
  const tries =
    attempts.length > 0 ? attempts : endpoint === "" ? [] : [{ endpoint, ms: null, result: "ok" }];
  return html.div(
    null,
    html.dl(
      { class: "facts" },
      fact("Caller's proxy", machineLink(machine), " ", endBadge(record)),
      fact(
        "Identities",
        html.code({ class: "id" }, sourceId || none),
        " → ",
        html.code({ class: "id" }, destinationId || none),
        `, ${over}`,
      ),
      record.kind === "tcp"
        ? null
        : fact(
            "Route",
            `${route === "" ? "none: the service has no routes" : route === "unmatched" ? "none matched" : route}${led === undefined ? "" : `; the policy ${led.name} led it to ${led.said}`}`,
          ),
      caller === null ? null : losersShown(caller),
      policies.length === 0
        ? null
        : fact(
            "Policies",
            html.ol(
              null,
              policies.map(({ name, action, failure, said, reason, us }) =>
                html.li(
                  null,
                  `${name}: `,
                  badge(
                    action === "error" ? "bad" : "plain",
                    [action, failure, said].filter((word) => word !== "").join(" "),
                  ),
                  ` in ${msText(us / 1_000)}${reason === "" ? "" : `: ${reason}`}`,
                ),
              ),
            ),
          ),
      fact(
        "Attempts",
        tries.length === 0
          ? none
          : html.ol(
              null,
              tries.map(({ endpoint: to, ms, result }) =>
                html.li(
                  null,
                  html.code(null, to),
                  " ",
                  badge(result === "ok" ? "good" : "bad", result),
                  ms === null ? "" : ` after ${msText(ms)}`,
                ),
              ),
            ),
      ),
      ejected === "" ? null : fact("Circuit breaking", `after it ${endpoint} was taken out (${ejected})`),
      ...times(record),
    ),
    caller === null
      ? null
      : html.details(null, html.summary(null, "As it would be decided now"), callerViewShown(caller)),
  );
}

function calleeShown({ machine, record, callee }: Seen): VNode {
  const { access, endpoint } = record;
  return html.dl(
    { class: "facts" },
    fact("Service's proxy", machineLink(machine), " ", endBadge(record)),
    access === null
      ? null
      : fact(
          "Access",
          badge(accessHealth[access.verdict] ?? "bad", access.verdict),
          ` by ${access.rule === "default" ? "default (no rule of its own)" : `the rule ${access.rule}`}`,
        ),
    callee === null || callee.limits.length === 0 ? null : fact("Rates", callee.limits.join(", ")),
    endpoint === "" ? null : fact("App", html.code(null, endpoint)),
    ...times(record),
  );
}

function times({
  firstByteMs,
  durationMs,
  bytesIn,
  bytesOut,
  upgrade,
  protocol,
}: Evidence): (VNode | null)[] {
  return [
    fact(
      "Times",
      `${firstByteMs === null ? "no answer began" : `answer began after ${msText(firstByteMs)}`}, ${durationMs === null ? "it goes on" : `over after ${msText(durationMs)}`}`,
    ),
    fact("Bytes", `${bytesText(bytesIn)} to the service, ${bytesText(bytesOut)} from it, ${protocol}`),
    upgrade === "" ? null : fact("Upgrade", upgrade),
  ];
}

const accessHealth: Readonly<Record<string, Health>> = { allow: "good", "would-deny": "warn", deny: "bad" };
