/** Whether a path is meant by a pattern of a document: exact, or `/v1/*` for everything below `/v1/`. */
export function matchesPath(pattern: string, path: string): boolean {
  return pattern.endsWith("/*") ? path.startsWith(pattern.slice(0, -1)) : path === pattern;
}
