/** What a registry holds when its mesh begins: the machine that the mesh was initialized on, which has joined itself. */
import type { CommitRequest } from "../api/messages.ts";
import type { Node } from "../model/service.ts";
import { keepRecord, noCertificates, withIssued, type Certificate } from "./issue/certificate_record.ts";
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
