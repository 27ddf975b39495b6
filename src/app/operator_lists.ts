/** What an operator reads of the controller, whole, however many pages it has. */
import {
  controllerPaths,
  type DocumentsAnswer,
  type DocumentsPage,
  type NodesPage,
  type StatusAnswer,
  type StatusPage,
} from "../api/messages.ts";
import { readPages } from "../api/pages.ts";
import type { ControlClient } from "../api/control.ts";
import type { Node } from "../model/service.ts";

type Operator = Pick<ControlClient, "call">;

/** As it stood while it was read, from the first page's revision on. */
export async function readStatus(operator: Operator): Promise<StatusAnswer> {
  const pages = await readPages<StatusPage>(operator, controllerPaths.status);
  const { next: _next, ...first } = pages[0] as StatusPage;
  return {
    ...first,
    nodes: pages.flatMap((page) => page.nodes),
    instances: pages.flatMap((page) => page.instances),
    services: pages.flatMap((page) => page.services),
  };
}

export async function readDocuments(operator: Operator): Promise<DocumentsAnswer> {
  const pages = await readPages<DocumentsPage>(operator, controllerPaths.documents);
  const { revision } = pages[0] as DocumentsPage;
  return { revision, documents: pages.flatMap((page) => page.documents) };
}

export async function readNodes(operator: Operator): Promise<readonly Node[]> {
  const pages = await readPages<NodesPage>(operator, controllerPaths.nodes);
  return pages.flatMap((page) => page.nodes);
}
