/** Where in the pages one is: `#/services/orders.default`, `#/?focus=web.default`. The address tells it, so links and Back work. */
import { useEffect, useState } from "preact/hooks";

export interface Place {
  /** "" (the topology), `services`, `machines`, `tap`, `why`. */
  readonly page: string;
  /** What of it; "" for all. */
  readonly what: string;
  readonly query: URLSearchParams;
}

function placeOf(hash: string): Place {
  const [path = "", query = ""] = hash.replace(/^#\/?/, "").split("?");
  const [page = "", ...rest] = path.split("/");
  return { page, what: decoded(rest.join("/")), query: new URLSearchParams(query) };
}

/** Somebody may have typed it. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}

export function linkTo(page: string, what = "", query: Readonly<Record<string, string>> = {}): string {
  const asked = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "")).toString();
  const path = what === "" ? page : `${page}/${encodeURIComponent(what)}`;
  return `#/${path}${asked === "" ? "" : `?${asked}`}`;
}

export function go(link: string, replace = false): void {
  if (replace) location.replace(link);
  else location.hash = link;
}

export function usePlace(): Place {
  const [place, setPlace] = useState(() => placeOf(location.hash));
  useEffect(() => {
    const changed = (): void => setPlace(placeOf(location.hash));
    addEventListener("hashchange", changed);
    return () => removeEventListener("hashchange", changed);
  }, []);
  return place;
}
