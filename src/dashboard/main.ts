/** The program of the dashboard's pages, in a browser. */
import { h, render } from "preact";
import { App } from "./app.ts";
import { AskingFailed, beginSession } from "./session.ts";
import { followTheme } from "./theme.ts";

const root = document.getElementById("app");

async function begin(): Promise<void> {
  if (root === null) return;
  followTheme();
  const problem = await beginSession().then(
    () => null,
    (error: unknown) => (error instanceof AskingFailed ? error : new AskingFailed(String(error), 0, "")),
  );
  render(h(App, { problem }), root);
}

void begin();
