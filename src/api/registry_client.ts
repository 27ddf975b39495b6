/** What the other modes ask of the registry. */
import type { Clock, Random } from "../../runtime/contract.ts";
import type { ControlClient } from "./control.ts";
import type { Instance } from "../model/service.ts";
import {
  registryPaths,
  type CommitAnswer,
  type CommitRequest,
  type KnownEntry,
  type RangeAnswer,
  type RegisterAnswer,
  type RegisterRequest,
} from "./messages.ts";
import type { HoldAnswer, HoldRequest } from "./peer_messages.ts";
import { RegistryFollower, type FollowHandler, type Following } from "./registry_follower.ts";

export class RegistryClient {
  constructor(
    readonly control: ControlClient,
    readonly clock: Clock,
    readonly random: Random,
  ) {}

  /** Everything under the prefix. `revision`: nothing before it is missing; a few entries may be newer. */
  async range(
    prefix: string,
  ): Promise<{ readonly entries: readonly KnownEntry[]; readonly revision: number }> {
    const pages: RangeAnswer[] = [];
    for (let after: string | null = ""; after !== null; after = pages.at(-1)?.next ?? null)
      pages.push(await this.page(prefix, after));
    return { entries: pages.flatMap((page) => page.entries), revision: pages[0]?.revision ?? 0 };
  }

  async page(prefix: string, after: string): Promise<RangeAnswer> {
    const query = new URLSearchParams({ prefix, after }).toString();
    return (await this.control.call("GET", `${registryPaths.range}?${query}`)).body as RangeAnswer;
  }

  async get(key: string): Promise<KnownEntry | null> {
    // As it stands, wherever it was changed. A registry that does not know `only` answers with all that begins with it, in key order.
    const query = new URLSearchParams({ prefix: key, only: "" }).toString();
    const { entries } = (await this.control.call("GET", `${registryPaths.range}?${query}`))
      .body as RangeAnswer;
    return entries[0]?.key === key ? entries[0] : null;
  }

  async commit(
    conditions: CommitRequest["conditions"],
    operations: CommitRequest["operations"],
  ): Promise<CommitAnswer> {
    return (await this.control.call("POST", registryPaths.commit, { conditions, operations }))
      .body as CommitAnswer;
  }

  async register(instance: Instance, ttlMs: number): Promise<RegisterAnswer> {
    const request: RegisterRequest = { instance, ttlMs };
    return (await this.control.call("PUT", registryPaths.instances, request)).body as RegisterAnswer;
  }

  async deregister(id: string): Promise<void> {
    await this.control.call("POST", `${registryPaths.instances}/remove`, { id });
  }

  async hold(request: HoldRequest): Promise<HoldAnswer> {
    return (await this.control.call("PUT", registryPaths.holds, request)).body as HoldAnswer;
  }

  async release(name: string): Promise<void> {
    await this.control.call("POST", `${registryPaths.holds}/release`, { name });
  }

  follow(prefix: string, handler: FollowHandler): Following {
    return new RegistryFollower(this, prefix, handler);
  }
}
