/** What keys do, and the dialog that tells. Whoever types into a field types. */
import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { go, linkTo } from "./router.ts";
import * as html from "./tags.ts";
import { turnTheme } from "./theme.ts";

const jumps: Readonly<Record<string, string>> = { g: "", m: "machines", l: "tap", e: "why" };

const told: readonly (readonly [keys: string, does: string])[] = [
  ["/", "search for a service"],
  ["g g", "topology"],
  ["g m", "machines"],
  ["g l", "live requests"],
  ["g e", "explain a request"],
  ["+ - 0", "zoom the graph in, out, to fit"],
  ["← → ↑ ↓", "move the graph, or go from service to service"],
  ["Enter", "open what has the focus"],
  ["t", "light or dark"],
  ["?", "this list"],
];

export function useKeys(showKeys: () => void): void {
  useEffect(() => {
    let jumping = false;
    const pressed = (event: KeyboardEvent): void => {
      if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
      const jump = jumping ? jumps[event.key] : undefined;
      jumping = !jumping && event.key === "g";
      if (jump !== undefined) go(linkTo(jump));
      else if (event.key === "/") focusOn("search");
      else if (event.key === "?") showKeys();
      else if (event.key === "t") turnTheme();
      else return;
      event.preventDefault();
    };
    addEventListener("keydown", pressed);
    return () => removeEventListener("keydown", pressed);
  }, []);
}

function isTyping(target: EventTarget | null): boolean {
  return target instanceof HTMLElement && /^(INPUT|SELECT|TEXTAREA)$/.test(target.tagName);
}

function focusOn(id: string): void {
  const field = document.getElementById(id);
  field?.focus();
  if (field instanceof HTMLInputElement) field.select();
}

export function KeysDialog({ open, close }: { readonly open: boolean; readonly close: () => void }): VNode {
  const own = useRef<HTMLDialogElement>(null);
  useEffect(() => {
    if (open) own.current?.showModal();
  }, [open]);
  return html.dialog(
    { ref: own, class: "keys", "aria-labelledby": "keys-title", onClose: close },
    html.h2({ id: "keys-title" }, "Keyboard"),
    html.dl(
      null,
      told.map(([keys, does]) => [
        html.dt(
          null,
          keys.split(" ").map((key) => html.kbd(null, key)),
        ),
        html.dd(null, does),
      ]),
    ),
    html.form(
      {
        method: "dialog",
        onSubmit: (event: Event) => {
          event.preventDefault();
          own.current?.close();
        },
      },
      html.button({ class: "plain" }, "Close"),
    ),
  );
}
