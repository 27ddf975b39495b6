/** Issuing over a store in memory and a clock that the test moves, and machines that ask for certificates. */
import type { JoinAnswer, JoinRequest, RenewAnswer, RenewRequest } from "../../src/api/messages.ts";
import { Issuing } from "../../src/controller/issue/issuing.ts";
import type { StateStore } from "../../src/controller/state_store.ts";
import { Authority, createAuthority } from "../../src/identity/authority.ts";
import { generateKey, prove } from "../../src/identity/keys.ts";
import { serviceKey, type ServiceName } from "../../src/model/service.ts";
import { MemoryStore } from "../../src/registry/memory_store.ts";
import { placeOf } from "./control_place.ts";
import { ManualClock } from "./clock.ts";

const trustDomain = "corp.example";
export const hourMs = 3_600_000;
const state = await createAuthority(trustDomain, Date.now());

export function service(text: string): ServiceName {
  const [name = "", namespace = "default"] = text.split(".");
  return { name, namespace };
}

/** One registry's content; several controllers may share it. */
export class IssuingUnderTest {
  readonly clock = new ManualClock(Date.now());
  readonly memory = new MemoryStore(this.clock);
  readonly reached: string[] = [];
  readonly logs: string[] = [];
  /** Runs before each commit: what others do meanwhile. */
  meanwhile: () => Promise<void> = async () => {};
  readonly store: StateStore = {
    get: async (key) => this.memory.get(key),
    range: async (prefix) => this.memory.range(prefix),
    commit: async (conditions, operations) => {
      await this.meanwhile();
      const { ok, revision } = await this.memory.commit(conditions, operations);
      return { ok, revision };
    },
  };
  readonly issuing = this.controller();
  #address = 0;

  /** One more controller over the same registry. */
  controller(): Issuing {
    return new Issuing({
      authority: new Authority(
        state,
        async () => {},
        () => this.clock.wallMs(),
      ),
      store: this.store,
      clock: this.clock,
      leafMs: 24 * hourMs,
      place: placeOf("10.0.0.1"),
      reach: async (address, port) => {
        this.reached.push(`${address}:${port}`);
        return { ok: true, cause: null, detail: "reached" };
      },
      log: (text) => void this.logs.push(text),
    });
  }

  /** An address that nobody used before. */
  address(): string {
    this.#address++;
    return `10.1.${this.#address >> 8}.${this.#address & 255}`;
  }

  async token(...services: readonly string[]): Promise<string> {
    const { token } = await this.issuing.tokens.create(services.map(service), 900_000, "p".repeat(43));
    return token;
  }

  machine(name: string, ...services: readonly string[]): MachineUnderTest {
    return new MachineUnderTest(this, name, services.map(service));
  }

  /** A machine that has joined. */
  async member(name: string, ...services: readonly string[]): Promise<MachineUnderTest> {
    const machine = this.machine(name, ...services);
    await machine.join(await this.token(...services));
    return machine;
  }

  keys(prefix: string): string[] {
    return this.memory.range(prefix).entries.map((entry) => entry.key);
  }
}

export class MachineUnderTest {
  key = generateKey();

  constructor(
    readonly host: IssuingUnderTest,
    readonly name: string,
    public services: readonly ServiceName[],
  ) {}

  request(purpose: string, nonce = this.host.issuing.nonce()): RenewRequest {
    return {
      nonce,
      node: this.name,
      publicKey: this.key.publicKey,
      signature: prove(this.key.privatePem, `heddle-${purpose}:${nonce}:${this.name}`),
      services: this.services.map((each) => {
        const key = generateKey();
        const signature = prove(key.privatePem, `heddle-svid:${nonce}:${serviceKey(each)}`);
        return { service: each, publicKey: key.publicKey, signature };
      }),
    };
  }

  joinRequest(token: string, nonce?: string): JoinRequest {
    return { ...this.request("join", nonce), token, address: null, port: 7445 };
  }

  join(token: string, from = this.host.address()): Promise<JoinAnswer> {
    return this.host.issuing.join(this.joinRequest(token), from);
  }

  renew(): Promise<RenewAnswer> {
    return this.host.issuing.renew(this.request("renew"), this.name);
  }

  reattest(from = this.host.address()): Promise<RenewAnswer> {
    return this.host.issuing.reattest(this.request("reattest"), from);
  }
}
