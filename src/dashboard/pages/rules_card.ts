/** Who may call a service, in the order in which its proxies look. */
import type { VNode } from "preact";
import type { ServiceView } from "../../api/dashboard_messages.ts";
import type { RuleView } from "../../model/evidence.ts";
import { badge, card, empty, sortedTable, type Column } from "../parts.ts";
import * as html from "../tags.ts";

export function rulesCard({
  rules,
  otherwise,
  service,
}: Pick<ServiceView, "rules" | "otherwise" | "service">): VNode {
  const rest =
    otherwise === "deny" ? badge("plain", "others are refused") : badge("plain", "others may call");
  if (rules.length > 0) return card("Access", rest, rulesTable(rules));
  const words = service.declared
    ? "No rule: every service of the mesh may call it"
    : "Nobody may call it: no document declares it";
  return card("Access", null, empty(words));
}

export function rulesTable(rules: readonly RuleView[]): VNode {
  return sortedTable({ columns, rows: rules, keyOf: ({ id }) => id, label: "Access rules" });
}

const columns: readonly Column<RuleView>[] = [
  {
    name: "Verdict",
    show: ({ effect, mode }) =>
      badge(effect === "allow" ? "good" : "bad", mode === "audit" ? `${effect} (audit)` : effect),
  },
  {
    name: "Caller",
    show: ({ from }) =>
      html.span({ class: "name", title: from }, from.replace(/^spiffe:\/\/[^/]+\/ns\/default\/sa\//, "")),
  },
  { name: "Methods", show: ({ methods }) => (methods.length === 0 ? "all" : methods.join(" ")) },
  { name: "Paths", show: ({ paths }) => (paths.length === 0 ? "all" : paths.join(" ")) },
  { name: "Rule", room: "wide", show: ({ id }) => html.code(null, id) },
];
