/** Fields to fill in. What is typed counts when it is left, or by Enter. */
import type { VNode } from "preact";
import type { MeshView } from "../../api/dashboard_messages.ts";
import * as html from "../tags.ts";
import { shortKey } from "../words.ts";

export function textField(name: string, value: string, hint: string, change: (value: string) => void): VNode {
  return html.label(
    { class: "field" },
    html.span(null, name),
    html.input({
      value,
      placeholder: hint,
      autocomplete: "off",
      spellcheck: false,
      onChange: (event) => change(event.currentTarget.value.trim()),
    }),
  );
}

/** One of the mesh's services; "" for any. */
export function serviceField(
  name: string,
  value: string,
  mesh: MeshView | null,
  change: (value: string) => void,
  nothing = "any",
): VNode {
  const keys = (mesh?.services ?? []).map(({ key }) => key);
  const all = value === "" || keys.includes(value) ? keys : [value, ...keys];
  return html.label(
    { class: "field" },
    html.span(null, name),
    html.select(
      { value, onChange: (event) => change(event.currentTarget.value) },
      html.option({ value: "" }, nothing),
      all.map((key) => html.option({ value: key, selected: key === value }, shortKey(key))),
    ),
  );
}
