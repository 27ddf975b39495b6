/**
 * What a hook waits for that its proxy has to find out: an answer of a service, whether a signature is right. It travels as part of a
 * decision that is none yet (`{"do":"wait"}`), and what was found out comes back with a call of its own. Bundled with every policy.
 */
import { HeaderList } from "./header_list.ts";
import type { ServiceAnswer } from "./sdk_calls.ts";

/** What the proxy found out of one want. */
export interface Given {
  /** Why it could not. */
  readonly problem?: string;
  readonly status?: number;
  /** name, value, name, value …. */
  readonly headers?: readonly string[];
  readonly body?: string;
  /** Whether the signature is right. */
  readonly value?: boolean;
  readonly taken?: {
    readonly ok: boolean;
    readonly left: number;
    readonly resetMs: number | null;
    /** Of a reservation; absent: nothing was reserved. */
    readonly id?: string;
  };
}

export class Want {
  constructor(
    /** Plain data, as the policy wrote it. */
    readonly asked: Readonly<Record<string, unknown>>,
    private readonly resolve: (given: Given) => void,
    private readonly reject: (error: Error) => void,
  ) {}

  settle(given: Given | undefined): void {
    if (given === undefined) this.reject(new Error("Nobody said what came of it"));
    else if (given.problem !== undefined) this.reject(new Error(given.problem));
    else this.resolve(given);
  }
}

export class ServiceReply implements ServiceAnswer {
  readonly status: number;
  readonly headers: HeaderList;
  readonly #body: string;

  constructor({ status = 0, headers = [], body = "" }: Given) {
    this.status = status;
    this.headers = new HeaderList(headers);
    this.#body = body;
  }

  text(): string {
    return this.#body;
  }

  json(): unknown {
    return JSON.parse(this.#body);
  }
}
