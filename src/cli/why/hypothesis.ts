/** What would become of a request that has not happened, from what the machines of its caller and its callee would decide. */
import type { DecideQuestion } from "../../app/decide.ts";
import type { CalleeView, CallerView, DecideLine } from "../../model/evidence.ts";
import type { Flag } from "../../model/outcome.ts";
import { takesRequests, type Protocol } from "../../model/service.ts";

export type Decided = DecideLine & { readonly machine: string };

export interface Verdict {
  /** null: nothing that is known speaks against it. */
  readonly flag: Flag | null;
  readonly detail: string;
}

export interface Hypothesis {
  readonly verdict: Verdict;
  readonly caller: (CallerView & { readonly machine: string }) | null;
  readonly callees: readonly (CalleeView & { readonly machine: string })[];
  /** Other machines that would call, and decide for themselves. */
  readonly others: readonly string[];
}

export function hypothesisOf(question: DecideQuestion, lines: readonly Decided[]): Hypothesis {
  const callers = lines.filter(({ isCaller }) => isCaller);
  const [first] = callers;
  const telling = callers.find(({ caller }) => caller !== null) ?? first;
  const view = telling?.caller ?? null;
  const caller = telling === undefined || view === null ? null : { machine: telling.machine, ...view };
  const callees = lines.flatMap(({ machine, callee }) => (callee === null ? [] : [{ machine, ...callee }]));
  const others = callers.filter((each) => each !== telling).map(({ machine }) => machine);
  const verdict = verdictOf(question, telling ?? null, caller, callees);
  return { verdict, caller, callees, others };
}

function verdictOf(
  question: DecideQuestion,
  teller: Decided | null,
  caller: Hypothesis["caller"],
  callees: Hypothesis["callees"],
): Verdict {
  const { from, to, method, path } = question;
  if (teller === null) return { flag: "ID", detail: `no machine that was asked runs ${from}` };
  if (caller === null)
    return {
      flag: "NC",
      detail: `${teller.machine} does not know ${to}: nothing there called it yet, or there is none`,
    };
  return (
    requestVerdict(question, teller, caller) ??
    backendVerdict(caller) ??
    accessVerdict(callees, `${from} may not ${method} ${path} of ${to}`) ?? {
      flag: null,
      detail: wellText(caller, callees),
    }
  );
}

function requestVerdict(
  { to, method, path }: DecideQuestion,
  { path: read }: Decided,
  { protocol, routes }: CallerView,
): Verdict | null {
  if (!takesRequests(protocol as Protocol))
    return { flag: "DPE", detail: `${to} speaks ${protocol}, not HTTP` };
  if (read === null) return { flag: "DPE", detail: `${to} takes no path like ${path}` };
  if (routes.length === 0 || routes.some(({ chosen }) => chosen)) return null;
  return { flag: "NR", detail: `no route of ${to} matches ${method} ${read}` };
}

function backendVerdict({ backends, endpoints }: CallerView): Verdict | null {
  const weighty = backends.filter(({ share }) => share > 0);
  if (weighty.length === 0) return { flag: "NC", detail: "no backend of its route has any weight" };
  const [first] = weighty;
  if (first !== undefined && weighty.every(({ invalid }) => invalid !== null))
    return { flag: "NC", detail: `its route leads to a backend that is not valid: ${first.invalid ?? ""}` };
  if (endpoints.length === 0) return { flag: "UH", detail: "no instance is there" };
  const isOut = (state: string): boolean => state === "unhealthy" || state === "drained";
  if (endpoints.some(({ state }) => !isOut(state))) return null;
  const drained = endpoints.filter(({ state }) => state === "drained").length;
  const why =
    drained === 0 ? "" : `: an operator drained ${drained === endpoints.length ? "all" : drained} of them`;
  return { flag: "UH", detail: `none of its ${endpoints.length} instances is ready${why}` };
}

function accessVerdict(callees: Hypothesis["callees"], what: string): Verdict | null {
  const denying = callees.find(({ access }) => access.verdict === "deny");
  if (denying === undefined) return null;
  const { rule } = denying.access;
  const by = rule === "default" ? "no access rule allows it" : `the access rule ${rule} denies it`;
  return { flag: "AD", detail: `${what}: ${by}` };
}

function wellText({ policies, service }: CallerView, callees: Hypothesis["callees"]): string {
  const unless = policies.length === 0 ? "" : `, unless a policy decides otherwise (${policies.join(", ")})`;
  const access =
    callees.length === 0
      ? `; no machine that runs ${service} was asked, so its access rules are not known`
      : "";
  return `it would go to ${service}${unless}${access}`;
}
