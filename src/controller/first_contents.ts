/** What a registry holds when its mesh begins, or goes on from a backup: the machine of the control plane has joined itself. */
import { registryKeys, type CommitRequest } from "../api/messages.ts";
import { serviceKey, type Node } from "../model/service.ts";
import {
  keepRecord,
  noCertificates,
  withIssued,
  type Certificate,
  type CertificateRecord,
} from "./issue/certificate_record.ts";
import { putNode } from "./issue/nodes.ts";

export interface FirstMachine {
  readonly node: Node;
  /** What was issued to it and its services. */
  readonly issued: readonly Certificate[];
}

/** To be committed to an empty registry, or to what an attempt left that did not finish. */
export function firstContents({ node, issued }: FirstMachine, nowMs: number): CommitRequest["operations"] {
  return [putNode(node), keepRecord(node.name, withIssued(noCertificates, issued, nowMs))];
}

/** What a restored registry holds already, as far as it matters here. */
interface Restored {
  get(key: string): { readonly value: string } | null;
  range(prefix: string): { readonly entries: readonly { readonly key: string }[] };
}

/**
 * To be committed to a registry that was restored. The machine that it runs on from now on is a member, and may be what it was. Tokens of
 * before are worth nothing: some were used since the backup.
 */
export function restoredContents(
  restored: Restored,
  { node, issued }: FirstMachine,
  nowMs: number,
): CommitRequest["operations"] {
  const read = <T>(key: string): T | null => {
    const entry = restored.get(key);
    return entry === null ? null : (JSON.parse(entry.value) as T);
  };
  const known = read<Node>(registryKeys.nodes + node.name);
  const record = read<CertificateRecord>(registryKeys.certificates + node.name) ?? noCertificates;
  const services = new Map(
    [...(known?.services ?? []), ...node.services].map((each) => [serviceKey(each), each]),
  );
  return [
    ...restored.range(registryKeys.tokens).entries.map(({ key }) => ({ do: "delete", key }) as const),
    putNode({ ...node, services: [...services.values()] }),
    keepRecord(node.name, withIssued(record, issued, nowMs)),
  ];
}
