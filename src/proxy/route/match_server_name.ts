/** Finds the route of an opaque connection: the list is in order of precedence, the first whose hostname fits wins. */

interface Named {
  /** `db.example`, `*.example` for everything below, or `*` for every connection. */
  readonly hostname: string;
}

/** `serverName` as the client asked for it, lower case; "" when it asked for none, which no name fits. */
export function matchServerName<Route extends Named>(
  routes: readonly Route[],
  serverName: string,
): Route | null {
  for (const route of routes) {
    const { hostname } = route;
    if (hostname === "*") return route;
    if (hostname.startsWith("*.") ? isBelow(serverName, hostname.slice(1)) : serverName === hostname)
      return route;
  }
  return null;
}

function isBelow(serverName: string, suffix: string): boolean {
  return serverName.length > suffix.length && serverName.endsWith(suffix);
}
