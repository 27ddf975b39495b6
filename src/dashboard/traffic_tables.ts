/** Services and calls as tables. */
import type { VNode } from "preact";
import type { EdgeRow, Golden, ServiceRow } from "../api/dashboard_messages.ts";
import { healthOfService, healthOfTraffic } from "./health.ts";
import { badge, serviceLink, sign, sortedTable, spark, type Column } from "./parts.ts";
import { linkTo } from "./router.ts";
import * as html from "./tags.ts";
import { bytesText, none, percentText, rateText, secondsText, shortKey } from "./words.ts";

const golden: readonly Column<Golden>[] = [
  { name: "Requests/s", number: true, by: ({ rate }) => rate, show: ({ rate }) => rateText(rate) },
  {
    name: "Success",
    number: true,
    by: ({ success }) => success ?? 2,
    show: (row) => html.span({ class: `share ${healthOfTraffic(row)}` }, percentText(row.success)),
  },
  {
    name: "p50",
    number: true,
    room: "wide",
    by: ({ p50 }) => p50 ?? -1,
    show: ({ p50 }) => secondsText(p50),
  },
  {
    name: "p95",
    number: true,
    room: "wide",
    by: ({ p95 }) => p95 ?? -1,
    show: ({ p95 }) => secondsText(p95),
  },
  { name: "p99", number: true, by: ({ p99 }) => p99 ?? -1, show: ({ p99 }) => secondsText(p99) },
  {
    name: "Bytes/s",
    number: true,
    room: "wide",
    by: ({ bytesPerSecond }) => bytesPerSecond,
    show: ({ bytesPerSecond }) => (bytesPerSecond === 0 ? none : bytesText(bytesPerSecond)),
  },
  {
    name: "TCP open",
    number: true,
    room: "wide",
    by: ({ tcpOpen }) => tcpOpen,
    show: ({ tcpOpen }) => (tcpOpen === 0 ? none : tcpOpen.toFixed(0)),
  },
];

const healthRank = { bad: 0, warn: 1, good: 2, idle: 3 } as const;

const accessBadges = {
  open: () => badge("plain", "open", "No rule: every service of the mesh may call it"),
  audit: () => badge("plain", "audit", "Its rules refuse nobody: they tell what they would"),
  enforced: () => badge("plain", "enforced", "Only who is allowed may call it"),
} as const;

const serviceColumns: readonly Column<ServiceRow>[] = [
  {
    name: "",
    by: (row) => healthRank[healthOfService(row)],
    show: (row) => sign(healthOfService(row), healthOfService(row)),
  },
  { name: "Service", by: ({ key }) => key, show: ({ key }) => serviceLink(key) },
  ...golden,
  {
    name: "Ready",
    number: true,
    by: ({ ready, instances, ejected }) => (ready - ejected) / Math.max(1, instances),
    show: ({ ready, instances, ejected }) =>
      html.span(
        { class: ready - ejected < instances ? "share warn" : "" },
        `${ready - ejected}/${instances}`,
      ),
  },
  { name: "Access", room: "wide", by: ({ access }) => access, show: ({ access }) => accessBadges[access]() },
  {
    name: "Last hour",
    room: "wide",
    show: ({ trend, key }) => spark(trend, `Requests to ${shortKey(key)} in the last hour`),
  },
];

export function serviceTable(services: readonly ServiceRow[]): VNode {
  return sortedTable({
    columns: serviceColumns,
    rows: services,
    keyOf: ({ key }) => key,
    label: "Services",
    sorted: services.length > 40 ? "-Requests/s" : "Service",
  });
}

function edgeColumns(ends: readonly ("from" | "to")[]): readonly Column<EdgeRow>[] {
  const end = { from: "Caller", to: "Service" } as const;
  return [
    {
      name: "",
      by: (row) => healthRank[healthOfTraffic(row)],
      show: (row) => sign(healthOfTraffic(row), healthOfTraffic(row)),
    },
    ...ends.map((which): Column<EdgeRow> => ({
      name: end[which],
      by: (row) => row[which],
      show: (row) => serviceLink(row[which]),
    })),
    ...golden,
    {
      name: "mTLS",
      room: "spare",
      by: ({ secure }) => secure ?? -1,
      show: ({ secure, tcpOpen }) => secureText(secure, tcpOpen),
    },
    {
      name: "Live",
      room: "wide",
      show: ({ from, to }) => html.a({ href: linkTo("tap", "", { from, to }) }, "tap"),
    },
  ];
}

/** Between two machines there is nothing else; within one there is no network. */
function secureText(secure: number | null, tcpOpen: number): VNode {
  if (secure === null) return html.span({ class: "muted" }, tcpOpen > 0 ? "yes" : none);
  if (secure === 1) return html.span({ class: "secure", title: "Each over mutual TLS" }, "yes");
  if (secure === 0)
    return html.span(
      { class: "muted", title: "Both are on one machine: no network is between them" },
      "local",
    );
  return html.span(
    { title: `${percentText(secure)} over mutual TLS; the others stayed within their machine` },
    "yes, some local",
  );
}

export function edgeTable(
  edges: readonly EdgeRow[],
  ends: readonly ("from" | "to")[] = ["from", "to"],
): VNode {
  return sortedTable({
    columns: edgeColumns(ends),
    rows: edges,
    keyOf: ({ from, to }) => `${from}>${to}`,
    label: "Calls",
    sorted: "-Requests/s",
  });
}
