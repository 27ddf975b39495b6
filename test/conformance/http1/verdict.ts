/** Whether what was seen is what a case expects, and in a few words what was seen. */
import type { AnswerCheck, Case, RequestCheck } from "./case.ts";
import { host } from "./case.ts";
import { valueOf, type Message } from "./message.ts";
import type { Seen } from "./talk.ts";

/** What is wrong; empty when nothing is. */
export function problemsOf(one: Case, seen: Seen): string[] {
  const { expects } = one;
  const statuses = seen.answers.map((answer) => answer.status);
  const followed = one.follows !== false;
  const own = [expects.statuses, ...(expects.orStatuses ?? [])].find((each) =>
    each.every((allowed, at) => allowed.includes(statuses[at] ?? 0)),
  );
  if (own === undefined)
    return [
      `answers ${say(seen)}, expected ${expects.statuses.map((allowed) => allowed.join("|")).join(" ")}`,
    ];
  const problems: string[] = [];
  const behind = statuses.slice(own.length);
  const goesOn = followed && behind.length === 1 && behind[0] === 200 && seen.answers.at(-1)?.body === "ok";
  if (expects.closes === false && followed && !goesOn)
    problems.push(`what follows is not answered: ${say(seen)}`);
  if (expects.closes === true && behind.length > 0) problems.push(`what follows is answered: ${say(seen)}`);
  if (expects.closes === "any" && behind.length > 0 && !goesOn) problems.push(`out of step: ${say(seen)}`);
  if (seen.end === "open") problems.push("the connection did not end");
  if (
    expects.incomplete === true
      ? seen.rest === "" && seen.end !== "reset"
      : seen.rest !== "" && one.follows !== false
  )
    problems.push(
      expects.incomplete === true ? "a clean end" : `stray octets ${JSON.stringify(seen.rest.slice(0, 60))}`,
    );
  const requests = goesOn ? seen.requests.slice(0, -1) : seen.requests;
  if (goesOn && seen.requests.at(-1)?.line.includes("/follower") !== true)
    problems.push("the follower did not reach the backend");
  const status = statuses[own.length - 1] ?? 0;
  const isRefusal = (status >= 400 && status < 500) || status === 501 || status === 505;
  const reach = expects.reach === "any" && isRefusal ? [] : expects.reach;
  problems.push(...requestProblems(reach, requests));
  const { neverReaches } = expects;
  if (neverReaches !== undefined && seen.requests.some((each) => each.line.includes(neverReaches)))
    problems.push(`the backend sees ${neverReaches}`);
  for (const answer of seen.answers)
    if (answer.status === 405 && valueOf(answer.fields, "allow") === null) problems.push("405 without Allow");
  const answer = seen.answers[own.length - 1];
  if (expects.answer !== undefined && answer !== undefined)
    problems.push(...answerProblems(expects.answer, answer));
  if (expects.backendCloses === true && seen.backendOpen)
    problems.push("the connection to the backend stays open");
  return problems;
}

function requestProblems(reach: readonly RequestCheck[] | "any", requests: readonly Message[]): string[] {
  if (reach === "any") return [];
  if (requests.length !== reach.length)
    return [
      `${requests.length} requests reach the backend, expected ${reach.length}: ${requests.map((each) => each.line).join(" | ")}`,
    ];
  return reach.flatMap((check, at) => checkRequest(check, requests[at] as Message));
}

function checkRequest(check: RequestCheck, message: Message): string[] {
  const problems: string[] = [];
  if (check.line !== undefined && message.line !== check.line)
    problems.push(`the backend sees "${message.line}"`);
  if (message.fields.filter((field) => field.startsWith("host: ")).length !== 1)
    problems.push("not one Host");
  problems.push(
    ...fieldProblems(check.has ?? [`host: ${host}`], check.lacks ?? [], message.fields, "the backend"),
  );
  if (check.body !== undefined && message.body !== check.body)
    problems.push(`the backend sees the body ${JSON.stringify(message.body)}`);
  for (const name of check.lacksTrailers ?? [])
    if (valueOf(message.trailers, name) !== null) problems.push(`the backend sees the trailer ${name}`);
  return problems;
}

function answerProblems(check: AnswerCheck, message: Message): string[] {
  const problems = fieldProblems(check.has ?? [], check.lacks ?? [], message.fields, "the client");
  if (check.body !== undefined && message.body !== check.body)
    problems.push(`the client sees the body ${JSON.stringify(message.body.slice(0, 60))}`);
  const { never } = check;
  if (never !== undefined && `${message.fields.join("\n")}${message.body}`.includes(never))
    problems.push(`the answer echoes ${never}`);
  return problems;
}

function fieldProblems(
  has: readonly string[],
  lacks: readonly string[],
  fields: readonly string[],
  who: string,
): string[] {
  const missing = has.filter((wanted) =>
    wanted.includes(": ") ? !fields.includes(wanted) : valueOf(fields, wanted) === null,
  );
  const extra = lacks.filter((name) => valueOf(fields, name) !== null);
  return [...missing.map((each) => `${who} misses ${each}`), ...extra.map((each) => `${who} sees ${each}`)];
}

/** `400 closed`, `200 200`, `502 reset, backend saw 1`. */
export function say(seen: Seen): string {
  const statuses = seen.answers.map((answer) => answer.status).join(" ");
  const rest = seen.rest === "" ? "" : " + a part";
  const saw = seen.requests.length === 0 ? "" : `, backend saw ${seen.requests.length}`;
  return `${statuses === "" ? "nothing" : statuses}${rest} ${seen.end}${saw}`;
}
