/** What stands around every page: where one can go, how the mesh is, the search, the keys. */
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { pagePaths, type MeshView } from "../api/dashboard_messages.ts";
import { KeysDialog, useKeys } from "./keys.ts";
import { MachinesPage } from "./pages/machines_page.ts";
import { ServicePage } from "./pages/service_page.ts";
import { TapPage } from "./pages/tap_page.ts";
import { TopologyPage } from "./pages/topology_page.ts";
import { WhyPage } from "./pages/why_page.ts";
import { badge, empty, problemBox } from "./parts.ts";
import { usePolled, type Polled } from "./polled.ts";
import { linkTo, usePlace, type Place } from "./router.ts";
import { Search } from "./search.ts";
import type { AskingFailed } from "./session.ts";
import * as html from "./tags.ts";
import { themeNow, turnTheme } from "./theme.ts";
import { countText } from "./words.ts";

const pages: readonly (readonly [page: string, name: string, sign: string])[] = [
  ["", "Topology", "M4 6h5v4H4zM15 4h5v4h-5zM15 15h5v4h-5zM9 8h3v9h3M12 6h3"],
  ["machines", "Machines", "M4 5h16v5H4zM4 14h16v5H4zM7 7.5h2M7 16.5h2"],
  ["tap", "Live requests", "M3 12h4l3-7 4 14 3-7h4"],
  ["why", "Explain", "M9 9a3 3 0 1 1 4 3c-1 .6-1 1-1 2M12 17.5v.5M12 3a9 9 0 1 0 .1 0z"],
];

/** `problem`: why the link let nobody in. */
export function App({ problem }: { readonly problem: AskingFailed | null }): VNode {
  const place = usePlace();
  const mesh = usePolled<MeshView>(pagePaths.mesh);
  const [keys, setKeys] = useState(false);
  useKeys(() => setKeys(true));
  useEffect(() => {
    document.title = `${titleOf(place)} · heddle`;
    document.getElementById("content")?.scrollTo(0, 0);
  }, [place.page, place.what]);
  const refused = problem ?? (mesh.problem?.status === 401 ? mesh.problem : null);
  return html.div(
    { class: "shell" },
    html.a({ class: "skip", href: "#content", onClick: skip }, "Skip to content"),
    html.header(
      { class: "top" },
      html.a({ class: "brand", href: linkTo("") }, mark(), html.span(null, "heddle")),
      navigation(place),
      html.part(Search, { mesh: mesh.answer }),
      standing(mesh),
      html.part(ThemeButton, {}),
      html.button(
        {
          class: "icon keys-button",
          type: "button",
          "aria-label": "Keyboard shortcuts",
          title: "Keyboard shortcuts (?)",
          onClick: () => setKeys(true),
        },
        "?",
      ),
    ),
    html.main(
      { id: "content", tabIndex: -1 },
      refused !== null && mesh.answer === null
        ? html.div({ class: "page" }, problemBox(refused))
        : [mesh.problem === null ? null : problemBox(mesh.problem), pageOf(place, mesh.answer)],
    ),
    html.part(KeysDialog, { open: keys, close: () => setKeys(false) }),
  );
}

function pageOf(place: Place, mesh: MeshView | null): VNode {
  switch (place.page) {
    case "":
      return html.part(TopologyPage, { mesh, place });
    case "services":
      return html.part(ServicePage, { service: place.what }, place.what);
    case "machines":
      return html.part(MachinesPage, { chosen: place.what });
    case "tap":
      return html.part(TapPage, { mesh, place });
    case "why":
      return html.part(WhyPage, { mesh, place });
    default:
      return html.div(
        { class: "page" },
        empty("There is no such page", "Press ? for the keys that lead to the others"),
      );
  }
}

function titleOf({ page, what }: Place): string {
  const name = pages.find(([each]) => each === page)?.[1] ?? "Service";
  return what === "" ? name : `${what} · ${name}`;
}

function navigation({ page }: Place): VNode {
  return html.nav(
    { "aria-label": "Pages" },
    pages.map(([to, name, sign]) =>
      html.a(
        {
          href: linkTo(to),
          ...(page === to || (to === "" && page === "services") ? { "aria-current": "page" as const } : {}),
        },
        html.svg(
          { viewBox: "0 0 24 24", width: 18, height: 18, "aria-hidden": "true" },
          html.path({ d: sign }),
        ),
        html.span(null, name),
      ),
    ),
  );
}

/** What is wrong with the control plane, if anything is. */
function standing({ answer, problem }: Polled<MeshView>): VNode {
  if (answer === null) return html.div({ class: "standing" });
  const { machines, registry } = answer;
  const away = machines.all - machines.connected;
  const troubles = [
    problem === null ? null : badge("bad", "not current", problem.message),
    registry.ok ? null : badge("bad", "registry away", registry.detail),
    away > 0
      ? badge("warn", `${away} away`, `${countText(away, "machine")} not connected to the controller`)
      : null,
    machines.behind > 0
      ? badge("warn", `${machines.behind} behind`, "Machines without the snapshot that they should have")
      : null,
  ].filter((each) => each !== null);
  const well = badge(
    "good",
    countText(machines.all, "machine"),
    `${answer.trustDomain}, revision ${answer.revision}`,
  );
  return html.div(
    { class: "standing", role: "status" },
    html.span({ class: "domain", title: "Trust domain" }, answer.trustDomain),
    troubles.length === 0 ? well : troubles,
  );
}

function ThemeButton(): VNode {
  const [theme, setTheme] = useState(themeNow());
  useEffect(() => {
    const changed = (): void => setTheme(themeNow());
    addEventListener("themechange", changed);
    return () => removeEventListener("themechange", changed);
  }, []);
  const other = theme === "dark" ? "light" : "dark";
  return html.button(
    {
      class: "icon",
      type: "button",
      "aria-label": `Show it ${other}`,
      title: `Show it ${other} (t)`,
      onClick: turnTheme,
    },
    html.svg(
      { viewBox: "0 0 24 24", width: 18, height: 18, "aria-hidden": "true" },
      html.path({ d: "M12 3a9 9 0 1 0 0 18zM12 3a9 9 0 0 1 0 18" }),
    ),
  );
}

function mark(): VNode {
  return html.svg(
    { viewBox: "0 0 32 32", width: 22, height: 22, "aria-hidden": "true" },
    html.path({ d: "M9 5v22M23 5v22M9 11c5 0 9 10 14 10M9 21c5 0 9-10 14-10" }),
  );
}

/** The address is the place of a page: it stays. */
function skip(event: Event): void {
  event.preventDefault();
  document.getElementById("content")?.focus();
}
