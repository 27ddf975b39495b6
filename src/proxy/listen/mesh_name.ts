/** Names of the mesh in a Host: `orders.mesh` in the caller's namespace, `orders.prod.mesh` in its own. */

/** The key of the service that an authority means; null when it is no name of the mesh. */
export function serviceKeyOf(authority: string, callerNamespace: string): string | null {
  const colon = authority.indexOf(":");
  const host = colon < 0 ? authority : authority.slice(0, colon);
  if (!host.endsWith(".mesh")) return null;
  const labels = host.slice(0, -".mesh".length).split(".");
  const [name = "", namespace = callerNamespace] = labels;
  return labels.length > 2 || name === "" || namespace === "" ? null : `${name}.${namespace}`;
}
