/**
 * Operators beside the one of the controller's own machine: who they are, what each may do, and their certificates, which are
 * renewed by the operator's key wherever it is used. One that was revoked is refused from the next request on.
 */
import { X509Certificate } from "node:crypto";
import type { Context } from "hono";
import { requireCaller, type ControlEnv } from "../api/caller.ts";
import { registryKeys } from "../api/messages.ts";
import type {
  OperatorAnswer,
  OperatorRequest,
  OperatorRole,
  OperatorsAnswer,
} from "../api/operator_messages.ts";
import { Refusal } from "../api/problem.ts";
import type { Address } from "../base/socket_address.ts";
import type { Authority } from "../identity/authority.ts";
import { publicKeyOf } from "../identity/keys.ts";
import { operatorId, type Principal } from "../model/identity.ts";
import { limits } from "../model/limits.ts";
import type { Catalog } from "./catalog.ts";
import type { StateStore } from "./state_store.ts";
import type { StoredOperator } from "./stored_operator.ts";

/** The operator that `heddle init` makes: its credential is the controller's own to renew. */
const ownOperator = "admin";

const ranks: readonly OperatorRole[] = ["viewer", "editor", "admin"];

export interface OperatorsOptions {
  readonly authority: Authority;
  readonly catalog: Catalog;
  readonly store: StateStore;
  readonly leafMs: number;
  /** Where they are told to look for this controller. */
  readonly controllers: () => readonly Address[];
  readonly wallMs: () => number;
  /** Refuses while nothing is known yet. */
  readonly requireReady: () => void;
  /** Waits until the catalog has seen this revision, for a moment at most. */
  readonly settled: (revision: number) => Promise<void>;
}

type Operator = Extract<Principal, { kind: "operator" }>;

export class Operators {
  constructor(readonly options: OperatorsOptions) {}

  /** The caller when it is an operator that may do this; refuses everyone else. */
  require(context: Context<ControlEnv>, role: OperatorRole): Operator {
    const operator = requireCaller(context, this.options.authority.trustDomain, "operator");
    if (operator.name === ownOperator) return operator;
    this.options.requireReady();
    const stored = this.options.catalog.operators.get(operator.name);
    const { certificate } = context.env.caller;
    // A name that was revoked and given again belongs to another key.
    if (stored === undefined || certificate === null || keyIn(certificate.der) !== stored.publicKey)
      throw new Refusal(
        403,
        `The operator ${operator.name} was revoked`,
        "heddle operator create, by an operator who is admin, makes a new credential",
      );
    if (ranks.indexOf(stored.role) >= ranks.indexOf(role)) return operator;
    throw new Refusal(403, `The operator ${operator.name} is ${stored.role}: this takes ${role}`);
  }

  list(): OperatorsAnswer {
    const { catalog } = this.options;
    const operators = [...catalog.operators].map(([name, { role, createdMs, endsMs }]) => {
      return { name, role, createdMs, endsMs };
    });
    return { operators: operators.sort((a, b) => (a.name < b.name ? -1 : 1)) };
  }

  async create(name: string, role: OperatorRole, publicKey: string): Promise<OperatorAnswer> {
    if (name === ownOperator) throw own();
    const key = registryKeys.operators + name;
    const issued = await this.#issue(name, publicKey);
    const nowMs = this.options.wallMs();
    const stored: StoredOperator = { role, publicKey, createdMs: nowMs, endsMs: issued.notAfterMs };
    const put = { do: "put", key, value: JSON.stringify(stored) } as const;
    const result = await this.options.store.commit([{ key, modified: 0 }], [put]);
    if (!result.ok)
      throw new Refusal(
        409,
        `There is already an operator named ${name}`,
        `Choose another name, or heddle operator revoke ${name} first`,
      );
    await this.options.settled(result.revision);
    return issued;
  }

  async revoke(name: string): Promise<void> {
    if (name === ownOperator) throw own();
    const key = registryKeys.operators + name;
    const entry = await this.options.store.get(key);
    if (entry === null)
      throw new Refusal(404, `There is no operator named ${name}`, "heddle operator list shows them");
    const result = await this.options.store.commit(
      [{ key, modified: entry.modified }],
      [{ do: "delete", key }],
    );
    if (!result.ok) throw new Refusal(409, `The operator ${name} was changed at this moment`, "Try again");
    await this.options.settled(result.revision);
  }

  /** By the key, whose possession was proved: also for a while after the certificate ended. */
  async renew({ name, publicKey }: Pick<OperatorRequest, "name" | "publicKey">): Promise<OperatorAnswer> {
    const key = registryKeys.operators + name;
    const entry = await this.options.store.get(key);
    const stored = entry === null ? null : (JSON.parse(entry.value) as StoredOperator);
    const inTime = stored !== null && this.options.wallMs() <= stored.endsMs + limits.operatorGraceMs;
    if (entry === null || stored === null || stored.publicKey !== publicKey || !inTime)
      throw new Refusal(
        403,
        "This operator is not known here: it was revoked, or was not used for too long",
        "heddle operator create, by an operator who is admin, makes a new credential",
      );
    const issued = await this.#issue(name, publicKey);
    const next: StoredOperator = { ...stored, endsMs: issued.notAfterMs };
    const put = { do: "put", key, value: JSON.stringify(next) } as const;
    const { ok } = await this.options.store.commit([{ key, modified: entry.modified }], [put]);
    if (!ok) throw new Refusal(409, `The operator ${name} was changed at this moment`, "Try again");
    return issued;
  }

  async #issue(name: string, publicKey: string): Promise<OperatorAnswer> {
    const { authority, leafMs, controllers } = this.options;
    const spiffeId = operatorId(authority.trustDomain, name);
    const { chainPem, notAfterMs } = await authority.issue({ spiffeId, publicKey, ttlMs: leafMs });
    return {
      spiffeId,
      chainPem,
      notAfterMs,
      rootsPem: authority.bundle.rootsPem,
      controllers: controllers(),
    };
  }
}

function own(): Refusal {
  return new Refusal(
    409,
    `The operator ${ownOperator} belongs to the controller's own machine`,
    "Choose another name; that one goes with the state folder of the controller's machine",
  );
}

function keyIn(der: Uint8Array): string {
  return publicKeyOf(new X509Certificate(der));
}
