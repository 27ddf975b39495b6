/** Whom a rule of access is about, in words. */
import type { CompiledAccessRule } from "./snapshot.ts";

export function sourceText({ source }: Pick<CompiledAccessRule, "source">): string {
  switch (source.kind) {
    case "any":
    case "any-mesh":
      return source.kind;
    case "exact":
    case "prefix":
      return source.value;
    case "cidr":
      return `from ${source.value} by a gateway`;
  }
}
