/**
 * Finds the route of a request: of those that fit, the first in order of precedence. Of many routes only those are looked at whose
 * host and path can fit, by an index that leaves out and never decides: one of a thousand costs about what one of one does.
 */
import { literalStart } from "../../model/expression_syntax.ts";
import { limits } from "../../model/limits.ts";
import { hostOf, prefixOf, type RouteMatcher, type RouteQuestion } from "./match_route.ts";

/** What it gives its requests as a model, if anything. */
interface Renaming {
  readonly model?: string;
}

interface Matchable {
  readonly matcher: RouteMatcher;
  readonly filters?: Renaming;
  readonly backends?: readonly { readonly filters: Renaming | null }[];
}

export class RouteTable<Route extends Matchable> {
  /** Some go by the model that a request asks for. */
  readonly readsModels: boolean;
  readonly #index: HostIndex | null;

  /** `routes` in order of precedence. */
  constructor(readonly routes: readonly Route[]) {
    this.readsModels = routes.some(({ matcher, backends = [], filters }) =>
      [matcher.match, filters, ...backends.map((each) => each.filters)].some(
        (each) => each?.model !== undefined,
      ),
    );
    const isShort = routes.length <= limits.routesScannedMax;
    this.#index = isShort ? null : new HostIndex(routes.map(({ matcher }) => matcher));
  }

  /** `callerId`: SPIFFE ID of who calls. null: none fits. */
  find(question: RouteQuestion, callerId: string): Route | null {
    const { routes } = this;
    if (this.#index !== null) return routes[this.#index.first(question, callerId)] ?? null;
    for (let at = 0; at < routes.length; at++) {
      const route = routes[at] as Route;
      if (route.matcher.fits(question, callerId)) return route;
    }
    return null;
  }
}

/** Places of routes in the order of precedence, by the host that they are for. */
class HostIndex {
  readonly #exact = new Map<string, PathIndex>();
  /** By what follows the `*`: `.example`. */
  readonly #below = new Map<string, PathIndex>();
  readonly #any: PathIndex;

  constructor(readonly matchers: readonly RouteMatcher[]) {
    this.#any = new PathIndex(matchers);
    matchers.forEach(({ match: { host, path } }, at) => {
      if (host === undefined) return this.#any.add(path, at);
      const isWild = host.startsWith("*.");
      const [index, key] = isWild ? [this.#below, host.slice(1)] : [this.#exact, host];
      const paths = index.get(key) ?? new PathIndex(matchers);
      index.set(key, paths);
      paths.add(path, at);
    });
  }

  /** Place of the first that fits; Infinity: none. */
  first(question: RouteQuestion, callerId: string): number {
    let best = Infinity;
    if (this.#exact.size + this.#below.size > 0) best = this.#firstOfHost(question, callerId);
    return this.#any.first(question, callerId, best);
  }

  #firstOfHost(question: RouteQuestion, callerId: string): number {
    const host = hostOf(question.authority);
    let best = this.#exact.get(host)?.first(question, callerId, Infinity) ?? Infinity;
    if (this.#below.size === 0) return best;
    for (let dot = host.indexOf(".", 1); dot >= 0; dot = host.indexOf(".", dot + 1))
      best = this.#below.get(host.slice(dot))?.first(question, callerId, best) ?? best;
    return best;
  }
}

/** Places of routes by what the path begins with or is. */
class PathIndex {
  readonly #exact = new Map<string, number[]>();
  readonly #prefixes = new Beginnings();
  readonly #expressions = new Beginnings();

  constructor(readonly matchers: readonly RouteMatcher[]) {}

  /** Places come in their order. */
  add({ type, value }: RouteMatcher["match"]["path"], place: number): void {
    if (type === "PathPrefix") this.#prefixes.add(prefixOf(value), place);
    else if (type === "RegularExpression") this.#expressions.add(literalStart(value), place);
    else {
      const places = this.#exact.get(value);
      if (places === undefined) this.#exact.set(value, [place]);
      else places.push(place);
    }
  }

  /** Place of the first that fits, if it comes before `best`; else `best`. */
  first(question: RouteQuestion, callerId: string, best: number): number {
    let found = this.#firstOf(this.#exact.get(question.path), question, callerId, best);
    found = this.#firstBelow(this.#prefixes, true, question, callerId, found);
    return this.#firstBelow(this.#expressions, false, question, callerId, found);
  }

  /** `whole`: they are whole segments. */
  #firstBelow(
    { lengths, places }: Beginnings,
    whole: boolean,
    question: RouteQuestion,
    callerId: string,
    best: number,
  ): number {
    const { path } = question;
    let found = best;
    for (let at = 0; at < lengths.length; at++) {
      const length = lengths[at] as number;
      if (length > path.length) continue;
      // The prefix of everything is no segment: `*` of OPTIONS fits it, too.
      const cuts = whole && length > 0 && length < path.length;
      if (cuts && path.charCodeAt(length) !== 0x2f) continue;
      found = this.#firstOf(places.get(path.slice(0, length)), question, callerId, found);
    }
    return found;
  }

  #firstOf(
    places: readonly number[] | undefined,
    question: RouteQuestion,
    callerId: string,
    best: number,
  ): number {
    if (places === undefined) return best;
    for (let at = 0; at < places.length; at++) {
      const place = places[at] as number;
      if (place >= best) return best;
      if ((this.matchers[place] as RouteMatcher).fits(question, callerId)) return place;
    }
    return best;
  }
}

/** Places by the text that paths begin with. A path is cut at the lengths that occur, and nowhere else. */
class Beginnings {
  /** The longest first. */
  lengths: readonly number[] = [];
  readonly places = new Map<string, number[]>();

  add(text: string, place: number): void {
    const places = this.places.get(text);
    if (places !== undefined) return void places.push(place);
    this.places.set(text, [place]);
    if (!this.lengths.includes(text.length))
      this.lengths = [...this.lengths, text.length].sort((a, b) => b - a);
  }
}
