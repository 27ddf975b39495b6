/** What a policy said, in a few words for people: where it leads, not every field that it writes. */
import type { Said } from "./heard.ts";

export function saidText(said: Said): string {
  switch (said.do) {
    case "next": {
      const { set, add, remove } = said.edits;
      const edits = set.length + add.length + remove.length > 0 ? " with other headers" : "";
      const body = said.json === undefined ? "" : " with another body";
      return `goes on${edits}${body}${said.target === null ? "" : ` to ${said.target.path}`}`;
    }
    case "route":
      return `goes to ${said.service}${said.subset === null ? "" : `/${said.subset}`}`;
    case "respond":
      return `answered ${said.status}: ${said.reason}`;
    case "failed":
      return `fails (${said.failure}): ${said.reason}`;
    case "prefer":
      return `prefers ${said.ids[0] ?? "none"}`;
    default:
      return said.do;
  }
}
