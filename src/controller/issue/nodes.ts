/** The machines of the mesh, as the registry keeps them. Every change is a compare-and-swap on what was read. */
import { registryKeys, type CommitRequest, type KnownEntry, type NodesPage } from "../../api/messages.ts";
import { Page, type PageQuery } from "../../api/pages.ts";
import { Refusal } from "../../api/problem.ts";
import { limits } from "../../model/limits.ts";
import { drainKey, serviceKey, type Node, type ServiceName } from "../../model/service.ts";
import type { StateStore } from "../state_store.ts";
import {
  noCertificates,
  revokeAll,
  type CertificateRecord,
  type RevokedCertificate,
} from "./certificate_record.ts";

type Conditions = CommitRequest["conditions"];
type Operations = CommitRequest["operations"];

/** A machine as it was read. */
export interface FoundNode {
  /** null: there is none of this name. */
  readonly node: Node | null;
  readonly certificates: CertificateRecord;
  /** Hold as long as neither has changed. */
  readonly unchanged: Conditions;
}

const attemptsMax = 10;

export class Nodes {
  constructor(
    readonly store: StateStore,
    readonly wallMs: () => number,
  ) {}

  /** Members: those that were removed are known on, so that they stay out, and are nobody's business. */
  async list(query: PageQuery): Promise<NodesPage> {
    const { entries } = await this.store.range(registryKeys.nodes);
    const page = new Page(query);
    const nodes = page.add(
      membersIn(entries, query.after),
      ({ key }) => key,
      ({ node }) => node,
    );
    return { nodes, next: page.next };
  }

  async read(name: string): Promise<FoundNode> {
    const keys = [registryKeys.nodes + name, registryKeys.certificates + name] as const;
    const node = await this.store.get(keys[0]);
    const certificates = await this.store.get(keys[1]);
    return {
      node: node === null ? null : (JSON.parse(node.value) as Node),
      certificates:
        certificates === null ? noCertificates : (JSON.parse(certificates.value) as CertificateRecord),
      unchanged: [
        { key: keys[0], modified: node?.modified ?? 0 },
        { key: keys[1], modified: certificates?.modified ?? 0 },
      ],
    };
  }

  /** One more service that the machine may be. */
  async allow(name: string, service: ServiceName): Promise<void> {
    await this.#change(name, ({ node }) => {
      if (node.removed)
        throw new Refusal(
          409,
          `The machine ${name} was removed from this mesh`,
          "Join it again with a new token",
        );
      return [putNode({ ...node, services: mergeServices(node.services, [service]) })];
    });
  }

  /** The machine may be part of the control plane. */
  async allowControl(name: string): Promise<void> {
    await this.#change(name, ({ node }) => {
      if (node.removed) throw new Refusal(409, `The machine ${name} was removed from this mesh`);
      return [putNode({ ...node, control: true })];
    });
  }

  /** The machine is no member any more, and each certificate that it holds is revoked. */
  async remove(name: string): Promise<void> {
    const over = [...(await this.#endedRevocations()), ...(await this.#drainsOf(name))];
    await this.#change(name, ({ node, certificates }) => [
      putNode({ ...withoutControl(node), removed: true }),
      { do: "delete", key: registryKeys.places + name },
      ...revokeAll(name, certificates, this.wallMs()),
      { do: "delete", key: registryKeys.certificates + name },
      ...over,
    ]);
  }

  async #change(
    name: string,
    change: (found: { readonly node: Node; readonly certificates: CertificateRecord }) => Operations,
  ): Promise<void> {
    for (let attempt = 0; attempt < attemptsMax; attempt++) {
      const { node, certificates, unchanged } = await this.read(name);
      if (node === null)
        throw new Refusal(404, `There is no machine "${name}"`, "heddle node list shows them");
      if ((await this.store.commit(unchanged, change({ node, certificates }))).ok) return;
    }
    throw new Refusal(503, `The machine ${name} is being changed by others all the time; try again`);
  }

  /** Who joins again under this name is not what an operator took out. */
  async #drainsOf(name: string): Promise<Operations> {
    const { entries } = await this.store.range(registryKeys.drains + name);
    const own = registryKeys.drains + drainKey({ node: name, service: null });
    return entries
      .filter(({ key }) => key === own || key.startsWith(`${own}/`))
      .map(({ key }) => ({ do: "delete", key }) as const);
  }

  /** Certificates that were revoked and have ended: nobody asks for them any more. */
  async #endedRevocations(): Promise<Operations> {
    const { entries } = await this.store.range(registryKeys.revoked);
    return entries
      .filter((entry) => (JSON.parse(entry.value) as RevokedCertificate).notAfterMs < this.wallMs())
      .map((entry) => ({ do: "delete", key: entry.key }) as const);
  }
}

/** Read as they are asked for: a page needs few of them. */
function* membersIn(entries: readonly KnownEntry[], after: string): Iterable<{ key: string; node: Node }> {
  for (const { key, value } of entries) {
    const node = key > after ? (JSON.parse(value) as Node) : null;
    if (node !== null && !node.removed) yield { key, node };
  }
}

/** Who joins again under this name is no part of the control plane by that. */
function withoutControl({ control: _, ...node }: Node): Node {
  return node;
}

export function putNode(node: Node): Operations[number] {
  return { do: "put", key: registryKeys.nodes + node.name, value: JSON.stringify(node) };
}

/** Refuses more than a machine may be. */
export function mergeServices(
  some: readonly ServiceName[],
  others: readonly ServiceName[],
): readonly ServiceName[] {
  const merged = [...new Map([...some, ...others].map((each) => [serviceKey(each), each])).values()];
  if (merged.length > limits.servicesPerNodeMax)
    throw new Refusal(409, `A machine may be at most ${limits.servicesPerNodeMax} services`);
  return merged;
}
