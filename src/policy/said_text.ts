/** What a policy said, in a few words for people: where it leads, not every field that it writes. */
import type { Said } from "./heard.ts";
import type { Copied, Sending } from "./sending.ts";

export function saidText(said: Said): string {
  switch (said.do) {
    case "next": {
      const { set, add, remove } = said.edits;
      const edits = set.length + add.length + remove.length > 0 ? " with other headers" : "";
      const body = said.json === undefined ? "" : " with another body";
      return `goes on${edits}${body}${said.target === null ? "" : ` to ${said.target.path}`}${sentText(said)}${said.failed === true ? ", and its instance failed" : ""}`;
    }
    case "route":
      return `goes to ${said.service}${said.subset === null ? "" : `/${said.subset}`}${sentText(said)}`;
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

function sentText({ retries, hedge, mirror }: Sending & Copied): string {
  const sent = [
    ...(retries === undefined ? [] : ["with other retries"]),
    ...(hedge === undefined ? [] : [`hedged: ${hedge}`]),
    ...(mirror === undefined ? [] : [`with a copy to ${mirror}`]),
  ];
  return sent.map((each) => `, ${each}`).join("");
}
