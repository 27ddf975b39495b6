/** Elements as functions: `div({ class: "card" }, "text")`. Text is text, whatever is in it: nothing here makes markup of a string. */
import { h, type ComponentChildren, type JSX, type VNode } from "preact";

type Tags = JSX.IntrinsicElements;

function tag<Name extends keyof Tags>(
  name: Name,
): (props?: Tags[Name] | null, ...children: ComponentChildren[]) => VNode {
  return (props = null, ...children) => h(name as string, props as object | null, ...children) as VNode;
}

export const a = tag("a");
export const button = tag("button");
export const circle = tag("circle");
export const code = tag("code");
export const dd = tag("dd");
export const details = tag("details");
export const dialog = tag("dialog");
export const div = tag("div");
export const dl = tag("dl");
export const dt = tag("dt");
export const form = tag("form");
export const g = tag("g");
export const h1 = tag("h1");
export const h2 = tag("h2");
export const header = tag("header");
export const input = tag("input");
export const kbd = tag("kbd");
export const label = tag("label");
export const li = tag("li");
export const main = tag("main");
export const nav = tag("nav");
export const ol = tag("ol");
export const option = tag("option");
export const p = tag("p");
export const path = tag("path");
export const pre = tag("pre");
export const rect = tag("rect");
export const section = tag("section");
export const select = tag("select");
export const span = tag("span");
export const strong = tag("strong");
export const summary = tag("summary");
export const svg = tag("svg");
export const table = tag("table");
export const tbody = tag("tbody");
export const td = tag("td");
export const text = tag("text");
export const th = tag("th");
export const thead = tag("thead");
export const title = tag("title");
export const tr = tag("tr");
export const ul = tag("ul");

/** A part of a page with a life of its own. `key`: one with another key is another one. */
export function part<Props extends object>(
  component: (props: Props) => VNode,
  props: Props,
  key = "",
): VNode {
  return h(component as unknown as string, key === "" ? props : { ...props, key }) as VNode;
}
