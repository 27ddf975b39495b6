/** The machines: which are there, whether they have what they should, and one of them in full. */
import type { ComponentChildren, VNode } from "preact";
import { pagePaths, type MachineRow, type MachinesView } from "../../api/dashboard_messages.ts";
import { healthOfLife, type Health } from "../health.ts";
import { lifeColumns } from "../life_columns.ts";
import { badge, card, empty, problemBox, serviceLink, sortedTable, type Column } from "../parts.ts";
import { usePolled } from "../polled.ts";
import { linkTo } from "../router.ts";
import * as html from "../tags.ts";
import { ageText, bytesText, countText, none, percentText } from "../words.ts";

type Row = MachineRow & { readonly nowMs: number };

export function MachinesPage({ chosen }: { readonly chosen: string }): VNode {
  const { answer, problem } = usePolled<MachinesView>(pagePaths.machines);
  if (answer === null)
    return html.div(
      { class: "page" },
      problem === null ? html.div({ class: "loading" }, "Asking the controller…") : problemBox(problem),
    );
  const rows = answer.machines.map((machine): Row => ({ ...machine, nowMs: answer.nowMs }));
  const one = rows.find(({ name }) => name === chosen);
  return html.div(
    { class: "page" },
    html.div(
      { class: "head" },
      html.h1(null, chosen === "" ? "Machines" : chosen),
      html.div(
        { class: "actions" },
        chosen === ""
          ? countText(rows.length, "machine")
          : html.a({ class: "plain", href: linkTo("machines") }, "All machines"),
      ),
    ),
    chosen === ""
      ? sortedTable({ columns, rows, keyOf: ({ name }) => name, label: "Machines", sorted: "State" })
      : one === undefined
        ? empty(`There is no machine ${chosen}`)
        : machine(one),
  );
}

const stateRank: Readonly<Record<Health, number>> = { bad: 0, warn: 1, idle: 2, good: 3 };

/** In a word, and how well that is. */
function stateOf({ connected, drained, error, wanted, acknowledged }: MachineRow): readonly [Health, string] {
  if (!connected) return ["bad", "away"];
  if (error !== null) return ["bad", "refused"];
  if (drained) return ["warn", "drained"];
  return wanted === acknowledged ? ["good", "current"] : ["warn", "behind"];
}

/** The one that ends first. */
function nextEnd({ certificates }: MachineRow): MachineRow["certificates"][number] | null {
  return certificates.toSorted((a, b) => a.notAfterMs - b.notAfterMs)[0] ?? null;
}

function lifeBadge(row: Row): ComponentChildren {
  const end = nextEnd(row);
  if (end === null) return none;
  return badge(
    healthOfLife(end.issuedMs, end.notAfterMs, row.nowMs),
    end.notAfterMs <= row.nowMs ? "ended" : ageText(end.notAfterMs - row.nowMs),
  );
}

const columns: readonly Column<Row>[] = [
  { name: "State", by: (row) => stateRank[stateOf(row)[0]], show: (row) => badge(...stateOf(row)) },
  {
    name: "Machine",
    by: ({ name }) => name,
    show: ({ name }) => html.a({ class: "name", href: linkTo("machines", name) }, name),
  },
  {
    name: "Ready",
    number: true,
    by: ({ ready, instances }) => ready - instances,
    show: ({ ready, instances }) =>
      html.span({ class: ready < instances ? "share warn" : "" }, `${ready}/${instances}`),
  },
  { name: "Last seen", room: "spare", number: true, by: ({ lastSeenMs }) => -lastSeenMs, show: seenText },
  { name: "Certificate ends in", number: true, by: (row) => nextEnd(row)?.notAfterMs ?? 0, show: lifeBadge },
  {
    name: "Age",
    number: true,
    room: "wide",
    by: (row) => -(nextEnd(row)?.issuedMs ?? 0),
    show: (row) => ageOf(row),
  },
  {
    name: "Snapshot",
    room: "wide",
    by: ({ acknowledged }) => acknowledged,
    show: ({ acknowledged }) => html.code(null, acknowledged.slice(0, 8) || none),
  },
  { name: "heddle", room: "wide", by: ({ version }) => version, show: ({ version }) => version || none },
  {
    name: "Address",
    room: "wide",
    by: ({ address }) => address,
    show: ({ address }) => html.code(null, address || none),
  },
  { name: "Zone", room: "wide", by: ({ zone }) => zone, show: ({ zone }) => zone || none },
  {
    name: "CPU",
    number: true,
    room: "wide",
    by: ({ processors }) => processors ?? -1,
    show: ({ processors }) => percentText(processors),
  },
  {
    name: "Memory",
    number: true,
    room: "wide",
    by: ({ residentBytes }) => residentBytes ?? -1,
    show: ({ residentBytes }) => (residentBytes === null ? none : bytesText(residentBytes)),
  },
];

function ageOf(row: Row): string {
  const end = nextEnd(row);
  return end === null ? none : ageText(row.nowMs - end.issuedMs);
}

function seenText({ connected, lastSeenMs, nowMs }: Row): string {
  if (connected) return "now";
  return lastSeenMs === 0 ? "never" : `${ageText(nowMs - lastSeenMs)} ago`;
}

function machine(row: Row): VNode {
  const {
    wanted,
    acknowledged,
    error,
    certificates,
    services,
    nowMs,
    joinedMs,
    version,
    address,
    zone,
    ejected,
    processors,
    residentBytes,
  } = row;
  const fact = (name: string, ...value: ComponentChildren[]): VNode =>
    html.div(null, html.dt(null, name), html.dd(null, ...value));
  return html.div(
    null,
    error === null
      ? null
      : html.div(
          { class: "problem", role: "alert" },
          html.strong(null, "It refused its snapshot, and goes on with the one it had"),
          html.p(null, error),
        ),
    card(
      "State",
      badge(...stateOf(row)),
      html.dl(
        { class: "facts" },
        fact("Last seen", seenText(row)),
        fact("heddle", version || none),
        fact("Address", html.code(null, address || none)),
        fact("Zone", zone || none),
        fact("Joined", `${ageText(nowMs - joinedMs)} ago`),
        fact("Instances", `${row.ready} of ${row.instances} ready`),
        fact("Taken out by its proxy", String(ejected)),
        fact("Snapshot", html.code(null, acknowledged.slice(0, 16) || none)),
        fact("Wanted", html.code(null, wanted.slice(0, 16) || none)),
        fact("Proxy's processor", percentText(processors)),
        fact("Proxy's memory", residentBytes === null ? none : bytesText(residentBytes)),
      ),
    ),
    card(
      "Services it may be",
      null,
      services.length === 0
        ? empty("None: it only holds the control plane, or calls nobody")
        : html.ul(
            { class: "chips" },
            services.map((key) => html.li(null, serviceLink(key))),
          ),
    ),
    card(
      "Certificates",
      "renewed at half of their life",
      sortedTable({
        columns: certificateColumns,
        rows: certificates.map((each) => ({ ...each, nowMs })),
        keyOf: ({ id }) => id,
        label: "Certificates",
      }),
    ),
  );
}

const certificateColumns: readonly Column<MachineRow["certificates"][number] & { nowMs: number }>[] = [
  { name: "Identity", by: ({ id }) => id, show: ({ id }) => html.code({ class: "id" }, id) },
  ...lifeColumns,
];
