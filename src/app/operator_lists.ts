/** What an operator reads of the controller, whole, however many pages it has. */
import type { DocumentsAnswer, DocumentsPage } from "../api/document_messages.ts";
import { controllerPaths, type NodesPage, type StatusAnswer, type StatusPage } from "../api/messages.ts";
import { readPages } from "../api/pages.ts";
import type { ControlClient } from "../api/control.ts";
import { UserError } from "../base/user_error.ts";
import { suggestion } from "../config/issue.ts";
import { serviceKey, type Node } from "../model/service.ts";

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

/**
 * Throws where no document declares such a service and no machine may be it: who waits for its requests would wait for ever.
 * `key`: `orders.default`.
 */
export async function requireService(operator: Operator, key: string): Promise<void> {
  const { services: declared, nodes } = await readStatus(operator);
  const known = [...declared, ...nodes.flatMap(({ services }) => services)].map(serviceKey);
  if (!known.includes(key))
    throw new UserError(`There is no service ${key}${suggestion(key, known)}`, null, 1);
}

export async function readNodes(operator: Operator): Promise<readonly Node[]> {
  const pages = await readPages<NodesPage>(operator, controllerPaths.nodes);
  return pages.flatMap((page) => page.nodes);
}
