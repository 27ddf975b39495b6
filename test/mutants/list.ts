/** All mutants, by what they break. */
import { access } from "./list/access.ts";
import { budgets } from "./list/budgets.ts";
import { control } from "./list/control.ts";
import { convert } from "./list/convert.ts";
import { exits } from "./list/exits.ts";
import { identity } from "./list/identity.ts";
import { loops } from "./list/loops.ts";
import { models } from "./list/models.ts";
import { pipeline } from "./list/pipeline.ts";
import { bounds } from "./list/limits.ts";
import { networks } from "./list/networks.ts";
import { policyHost } from "./list/policy_host.ts";
import { policyLife } from "./list/policy_life.ts";
import { registry } from "./list/registry.ts";
import { resilience } from "./list/resilience.ts";
import { retries } from "./list/retries.ts";
import type { Mutant } from "./mutant.ts";

export const mutants: readonly Mutant[] = [
  ...pipeline,
  ...access,
  ...identity,
  ...registry,
  ...resilience,
  ...retries,
  ...bounds,
  ...networks,
  ...exits,
  ...policyHost,
  ...policyLife,
  ...control,
  ...budgets,
  ...convert,
  ...loops,
  ...models,
];
