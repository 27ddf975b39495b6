/**
 * The way to the controller. The link's code becomes a token at once and leaves the address bar; the token is kept for the tabs of
 * this origin, and is worth nothing when the controller was started again.
 */
import { pagePaths, type PageSession } from "../api/dashboard_messages.ts";
import type { AskedLine, AskRequest } from "../api/questions.ts";

const kept = "heddle-token";

/** What was asked for was refused, or nobody answered. */
export class AskingFailed extends Error {
  constructor(
    message: string,
    /** 0: nobody answered. */
    readonly status: number,
    readonly hint: string,
  ) {
    super(message);
  }
}

/** Takes the code of the link, if the address has one. Throws an AskingFailed. */
export async function beginSession(): Promise<void> {
  const code = /^#code=([\w-]+)$/.exec(location.hash)?.[1];
  if (code === undefined) return;
  history.replaceState(null, "", location.pathname);
  const body = JSON.stringify({ code });
  const answer = await answerOf(fetch(pagePaths.session, { method: "POST", body }));
  localStorage.setItem(kept, ((await answer.json()) as PageSession).token);
}

export async function read<Answer>(path: string, signal: AbortSignal): Promise<Answer> {
  const answer = await answerOf(fetch(path, { headers: tokenField(), signal }));
  return (await answer.json()) as Answer;
}

/** Asks machines, and hands on line by line what they say, until all have, or the signal says enough. */
export async function ask(
  request: AskRequest,
  signal: AbortSignal,
  heard: (line: AskedLine) => void,
): Promise<void> {
  const init = { method: "POST", headers: tokenField(), body: JSON.stringify(request), signal };
  const reader = (await answerOf(fetch(pagePaths.ask, init))).body?.getReader();
  if (reader === undefined) return;
  const decoder = new TextDecoder();
  for (let rest = ""; ;) {
    const { done, value } = await reader.read();
    if (done) return;
    const lines = (rest + decoder.decode(value, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) if (line !== "") heard(JSON.parse(line) as AskedLine);
  }
}

function tokenField(): Record<string, string> {
  return { authorization: `Bearer ${localStorage.getItem(kept) ?? "none-is-kept"}` };
}

async function answerOf(asked: Promise<Response>): Promise<Response> {
  const answer = await asked.catch((error: unknown) => {
    if (error instanceof DOMException && error.name === "AbortError") throw error;
    throw new AskingFailed("The controller does not answer", 0, "Is heddle controller running?");
  });
  if (answer.ok) return answer;
  const problem = (await answer.json().catch(() => ({}))) as { error?: string; hint?: string };
  throw new AskingFailed(
    problem.error ?? `The controller answered ${answer.status}`,
    answer.status,
    problem.hint ?? "",
  );
}
