/** What would become of a request that has not happened. */
import type { VNode } from "preact";
import type { DecideQuestion } from "../../app/decide.ts";
import { flagMeanings } from "../../cli/explain/flags_chapter.ts";
import type { Hypothesis } from "../../cli/why/hypothesis.ts";
import { nextCommand } from "../../cli/why/next_command.ts";
import { badge, card } from "../parts.ts";
import { linkTo } from "../router.ts";
import * as html from "../tags.ts";
import { none, shortKey } from "../words.ts";
import { rulesTable } from "./rules_card.ts";
import { callerViewShown, fact, losersShown } from "./views_shown.ts";

export function hypothesisShown(
  question: DecideQuestion,
  { verdict, caller, callees, others }: Hypothesis,
): VNode {
  const { from, to, method, path } = question;
  const { flag, detail } = verdict;
  const health = flag === null ? "good" : "bad";
  return html.div(
    null,
    html.section(
      { class: `card verdict ${health}` },
      html.h2(
        null,
        badge(health, flag === null ? "it would pass" : `no (${flag})`),
        " ",
        html.strong(null, method),
        " ",
        html.code(null, path),
      ),
      html.p({ class: "muted" }, `${shortKey(from)} → ${shortKey(to)}, if it came now`),
      html.dl(
        { class: "facts" },
        fact("Because", detail),
        flag === null ? null : fact("What it means", flagMeanings[flag].means),
        flag === null ? null : fact("Next", html.code(null, nextCommand(flag, { service: to, machine: "" }))),
      ),
    ),
    html.div(
      { class: "columns" },
      caller === null ? null : callerShown(caller, others),
      callees.length === 0 ? null : html.div(null, callees.map(calleeShown)),
    ),
  );
}

function callerShown(caller: NonNullable<Hypothesis["caller"]>, others: readonly string[]): VNode {
  const { machine, version, sourceId, destinationId, policies, routes } = caller;
  const chosen = routes.find((each) => each.chosen);
  const noRoute = routes.length === 0 ? "none: the service has no routes" : "none matches";
  return card(
    "The caller's proxy",
    html.a({ href: linkTo("machines", machine) }, machine),
    html.dl(
      { class: "facts" },
      fact(
        "Snapshot",
        html.code(null, version.slice(0, 8)),
        others.length === 0 ? "" : `; ${others.join(", ")} would decide too`,
      ),
      fact(
        "Identities",
        html.code({ class: "id" }, sourceId || none),
        " → ",
        html.code({ class: "id" }, destinationId),
      ),
      fact("Route", chosen === undefined ? noRoute : `${chosen.name}: ${chosen.match}`),
      losersShown(caller),
      policies.length === 0 ? null : fact("Policies", `asked in this order: ${policies.join(", ")}`),
    ),
    callerViewShown(caller),
  );
}

function calleeShown({ machine, access, rules, otherwise, limits }: Hypothesis["callees"][number]): VNode {
  return card(
    "The service's proxy",
    html.a({ href: linkTo("machines", machine) }, machine),
    html.dl(
      { class: "facts" },
      fact(
        "Access",
        badge(access.verdict === "allow" ? "good" : "bad", access.verdict),
        ` by ${access.rule === "default" ? "default (no rule of its own)" : `the rule ${access.rule}`}`,
      ),
      fact("Else", otherwise),
      limits.length === 0 ? null : fact("Rates", limits.join(", ")),
    ),
    rules.length === 0 ? null : rulesTable(rules),
  );
}
