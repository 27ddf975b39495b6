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
}
