/** The search in the head of every page: a service by a part of its name. */
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import type { MeshView, ServiceRow } from "../api/dashboard_messages.ts";
import { healthOfService } from "./health.ts";
import { sign } from "./parts.ts";
import { go, linkTo } from "./router.ts";
import * as html from "./tags.ts";
import { shortKey } from "./words.ts";

const foundMax = 12;

export function Search({ mesh }: { readonly mesh: MeshView | null }): VNode {
  const [words, setWords] = useState("");
  const [chosen, setChosen] = useState(0);
  const wanted = words.trim().toLowerCase();
  const all =
    wanted === "" ? [] : (mesh?.services ?? []).filter(({ key }) => key.toLowerCase().includes(wanted));
  const found = all
    .toSorted((a, b) => Number(b.key.startsWith(wanted)) - Number(a.key.startsWith(wanted)))
    .slice(0, foundMax);
  const open = (key: string | undefined): void => {
    if (key === undefined) return;
    setWords("");
    document.getElementById("search")?.blur();
    go(linkTo("services", key));
  };
  const pressed = (event: KeyboardEvent): void => {
    if (event.key === "ArrowDown") setChosen(Math.min(chosen + 1, found.length - 1));
    else if (event.key === "ArrowUp") setChosen(Math.max(chosen - 1, 0));
    else if (event.key === "Enter") open(found[chosen]?.key);
    else if (event.key === "Escape") {
      setWords("");
      document.getElementById("search")?.blur();
    } else return;
    event.preventDefault();
  };
  return html.div(
    { class: "search" },
    html.input({
      id: "search",
      type: "search",
      placeholder: "Search  /",
      autocomplete: "off",
      spellcheck: false,
      role: "combobox",
      list: undefined,
      "aria-label": "Search services",
      "aria-expanded": found.length > 0,
      "aria-controls": "found",
      ...(found[chosen] === undefined ? {} : { "aria-activedescendant": `found-${chosen}` }),
      value: words,
      onInput: (event) => {
        setWords(event.currentTarget.value);
        setChosen(0);
      },
      onKeyDown: pressed,
    }),
    wanted === "" ? null : foundList(all, found, chosen, open),
  );
}

function foundList(
  all: readonly ServiceRow[],
  found: readonly ServiceRow[],
  chosen: number,
  open: (key: string) => void,
): VNode {
  const options = found.map((service, at) =>
    html.li(
      {
        id: `found-${at}`,
        role: "option",
        "aria-selected": at === chosen,
        onPointerDown: (event) => {
          event.preventDefault();
          open(service.key);
        },
      },
      sign(healthOfService(service), healthOfService(service)),
      html.span({ class: "name" }, shortKey(service.key)),
      html.span({ class: "muted" }, `${service.ready}/${service.instances}`),
    ),
  );
  const more = all.length - found.length;
  return html.ul(
    { id: "found", role: "listbox", "aria-label": "Services found" },
    options,
    more > 0 ? html.li({ class: "muted" }, `and ${more} more`) : null,
    all.length === 0 ? html.li({ class: "muted" }, "No service has that in its name") : null,
  );
}
