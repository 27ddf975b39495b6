/** One document of Kuma with what it is read into. */
import type { Fields, Origin } from "./origin.ts";
import type { Target } from "./target.ts";

export interface KumaDocument {
  readonly origin: Origin;
  readonly name: string;
  readonly root: Fields;
  readonly spec: Fields;
  readonly target: Target;
  readonly trustDomain: string;
  /** Keys of services with a permission of their own that refuses all it does not name: what is said for all services lets nobody in there. */
  readonly closed: ReadonlySet<string>;
}
