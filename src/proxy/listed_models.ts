/** Gathers the models that a caller may ask a service for, for `prompted_call.ts`: those its routes name, and those that services behind them list. */
import { limits } from "../model/limits.ts";
import type { ServiceName } from "../model/service.ts";
import { serviceKey } from "../model/service.ts";
import type { AskService } from "../policy/service_call.ts";
import type { RequestHead } from "../http/exchange.ts";
import { askedPaths, readModelList, type ListedModel } from "./prompt/model_list.ts";
import type { RouteQuestion } from "./route/match_route.ts";
import type { LiveDestination, LiveRoute } from "./state/live_service.ts";

/** Of the caller: it is whom those services hear, beside its proxy. */
const passedFields = ["authorization", "x-api-key", "anthropic-version"];

export interface ModelListing {
  readonly called: LiveDestination;
  readonly request: Pick<RequestHead, "authority" | "fields">;
  readonly path: string;
  /** SPIFFE ID of who asks. */
  readonly callerId: string;
  readonly ask: AskService;
}

/** `done` hears of those once, maybe at once. */
export function listModels(listing: ModelListing, done: (models: readonly ListedModel[]) => void): void {
  const { called, path, ask, request } = listing;
  const named = called.routes.routes.flatMap(({ matcher: { match } }): ListedModel[] => {
    const id = match.model?.type === "Exact" ? match.model.value : null;
    return id === null || routeOf(listing, id) === null ? [] : [{ id, owner: called.key }];
  });
  const asked = askedServices(listing);
  let left = asked.length;
  const lists: (readonly ListedModel[])[] = asked.map(() => []);
  if (left === 0) return done(named);
  const headers = passedFields.flatMap((name) => {
    const value = request.fields.get(name);
    return value === null ? [] : [name, value];
  });
  asked.forEach((service, at) => {
    const call = { service, method: "GET", target: { target: path, path }, headers, body: "" };
    ask(call, limits.modelListMs, (outcome) => {
      const key = serviceKey(service);
      const all = outcome.ok && outcome.status === 200 ? readModelList(key, outcome.body) : [];
      lists[at] = all.filter(({ id }) => leadsTo(routeOf(listing, id), id, key));
      if (--left === 0) done([...named, ...lists.flat()]);
    });
  });
}

/** Those that take models by names that no route says, as far as a call of who asks may lead there: others do not hear of its credentials. */
function askedServices(listing: ModelListing): readonly ServiceName[] {
  const found = new Map<string, ServiceName>();
  for (const { matcher, filters, backends } of listing.called.routes.routes) {
    const { model } = matcher.match;
    if (model?.type === "Exact" || filters?.model !== undefined) continue;
    if (!questions(listing, model?.value ?? null).some((each) => matcher.fits(each, listing.callerId)))
      continue;
    for (const { target, filters: own } of backends)
      if (target.ok && own?.model === undefined)
        found.set(target.value.destination.key, target.value.destination.declared.service);
  }
  return [...found.values()].slice(0, limits.modelListServicesMax);
}

function routeOf(listing: ModelListing, model: string): LiveRoute | null {
  const { called, callerId } = listing;
  for (const each of questions(listing, model)) {
    const found = called.routes.find(each, callerId);
    if (found !== null) return found;
  }
  return null;
}

/** The requests by which who asks could ask for that model. */
function questions({ path, request }: ModelListing, model: string | null): readonly RouteQuestion[] {
  const { authority, fields } = request;
  return askedPaths(path).map((each) => ({
    ...{ method: "POST", target: each, path: each, authority, fields, model },
  }));
}

/** Whether who asks for it by that name gets it from that service. */
function leadsTo(route: LiveRoute | null, id: string, key: string): boolean {
  if (route === null || (route.filters?.model ?? id) !== id) return false;
  return route.backends.some(
    ({ target, filters, weight }) =>
      weight > 0 && target.ok && target.value.destination.key === key && (filters?.model ?? id) === id,
  );
}
