/** Changes to the text of a Machine document, which keep its order and its comments: what a command puts in, and takes out again. */
import { Document, isMap, isScalar, parseDocument, visit, YAMLSeq, type YAMLMap } from "yaml";
import { UserError } from "../base/user_error.ts";
import type { CallingUnit, Interception } from "../model/document.ts";
import { serviceKey, type ServiceName } from "../model/service.ts";
import { resolveService } from "./fields.ts";
import { healthOfFlag } from "./parts/health.ts";

export interface UnitInstance {
  readonly unit: string;
  readonly service: ServiceName;
  readonly port: number;
  /** null: 127.0.0.1, or what stands there. */
  readonly host: string | null;
  /** As `--health` has it; null: none, or what stands there. */
  readonly health: string | null;
  /** null: none, or what stands there. */
  readonly intercept: Interception | null;
}

/** The text with the instance: one that stands for this service and port belongs to the unit now; one of the unit that has another port is moved. */
export function withUnit(text: string, instance: UnitInstance): string {
  const { unit, service, port, host, health, intercept } = instance;
  const document = parseDocument(text);
  const services = listIn(document, "services");
  putBack(document, services, unit);
  const ofService = services.items.filter((item): item is YAMLMap => isMap(item) && isOf(item, service));
  const item =
    ofService.find((each) => portsOf(each).includes(port)) ??
    ofService.find((each) => each.get("unit") === unit);
  if (item === undefined) {
    const written = {
      service: nameOf(service),
      ...(host === null ? {} : { host }),
      port,
      unit,
      ...(health === null ? {} : { health: healthOfFlag(health) }),
      ...(intercept === null ? {} : { intercept }),
    };
    services.add(document.createNode(written));
    return textOf(document, text);
  }
  if (portsOf(item).length > 1 && item.get("unit") !== unit)
    throw new UserError(
      `Cannot attach ${unit}: the Machine document has port ${port} of ${serviceKey(service)} together with others`,
      "Write an entry for each port there (heddle explain Machine), with the unit that has it: unit: NAME.service",
    );
  const set = (key: string, value: unknown): void => {
    if (JSON.stringify(item.toJSON()[key]) !== JSON.stringify(value))
      item.set(key, document.createNode(value));
  };
  if (!portsOf(item).includes(port)) {
    item.delete("ports");
    set("port", port);
  }
  const stoodBefore = !item.has("unit");
  set("unit", unit);
  const named = item.get("unit", true);
  if (stoodBefore && isScalar(named)) named.comment = stoodBeforeMark;
  if (host !== null) set("host", host);
  if (health !== null) set("health", healthOfFlag(health));
  if (intercept !== null) set("intercept", intercept);
  return textOf(document, text);
}

/** The text with the unit among those that only call. */
export function withCaller(text: string, { unit, service, intercept }: CallingUnit): string {
  const document = parseDocument(text);
  const callers = listIn(document, "callers");
  const item = callers.items.find((each): each is YAMLMap => isMap(each) && each.get("unit") === unit);
  if (item === undefined) {
    const how = intercept === undefined ? {} : { intercept };
    callers.add(document.createNode({ unit, service: nameOf(service), ...how }));
  } else {
    if (!isOf(item, service)) item.set("service", nameOf(service));
    if (intercept !== undefined && JSON.stringify(item.toJSON().intercept) !== JSON.stringify(intercept))
      item.set("intercept", document.createNode(intercept));
  }
  return textOf(document, text);
}

/**
 * The text without what `withUnit` and `withCaller` put in. An entry that stood before goes on without its unit; one in which somebody wrote
 * more than that is kept as a comment, from which the unit gets it back when it is attached again.
 */
export function withoutUnit(text: string, unit: string): string {
  const document = parseDocument(text);
  for (const name of ["services", "callers"]) {
    const list = document.get(name);
    if (!(list instanceof YAMLSeq)) continue;
    list.items = list.items.filter((item) => {
      if (!isMap(item) || item.get("unit") !== unit) return true;
      const named = item.get("unit", true);
      if (isScalar(named) && named.comment === stoodBeforeMark) {
        // It says nothing without a unit, and a document that has it is refused.
        item.delete("intercept");
        return item.delete("unit");
      }
      if (isHandwritten(item)) putAside(document, item, unit);
      return false;
    });
    if (name === "callers" && list.items.length === 0) document.delete(name);
  }
  return textOf(document, text);
}

/** Beside the unit of an entry that was an instance without it. */
const stoodBeforeMark = " the rest stood here before heddle attach";

const writtenByAttach: readonly string[] = ["service", "host", "port", "unit", "health", "intercept"];

function isHandwritten(item: YAMLMap): boolean {
  const keys = Object.keys(item.toJSON() as object);
  let commented = false;
  visit(item, (_, node) => {
    const { comment, commentBefore } = node as { comment?: string | null; commentBefore?: string | null };
    if ((comment ?? "") !== "" || (commentBefore ?? "") !== "") commented = true;
  });
  return commented || keys.some((key) => !writtenByAttach.includes(key));
}

const asideHead = (unit: string): string => ` Of ${unit}, which heddle detach took out:`;
/** Before each line of the entry, behind the sign of a comment. */
const asideIndent = "   ";

function putAside(document: Document, item: YAMLMap, unit: string): void {
  const lines = new Document(item).toString({ lineWidth: 0 }).trimEnd().split("\n");
  const block = [asideHead(unit), ...lines.map((line) => `${asideIndent}${line}`)];
  const before = document.comment ?? "";
  document.comment = [...(before === "" ? [] : [before]), ...block].join("\n");
}

function putBack(document: Document, services: YAMLSeq, unit: string): void {
  const lines = (document.comment ?? "").split("\n");
  const head = lines.indexOf(asideHead(unit));
  if (head < 0) return;
  const rest = lines.slice(head + 1);
  const end = rest.findIndex((line) => !line.startsWith(asideIndent));
  const kept = rest.slice(0, end < 0 ? rest.length : end);
  const item = parseDocument(kept.map((line) => line.slice(asideIndent.length)).join("\n"));
  if (item.errors.length > 0 || !isMap(item.contents)) return;
  services.add(item.contents);
  const others = [...lines.slice(0, head), ...rest.slice(kept.length)].join("\n");
  document.comment = others === "" ? null : others;
}

function nameOf(service: ServiceName): string {
  return service.namespace === "default" ? service.name : serviceKey(service);
}

function listIn(document: Document, name: string): YAMLSeq {
  const found = document.get(name);
  if (found instanceof YAMLSeq) return found;
  const made = new YAMLSeq();
  document.set(name, made);
  return made;
}

function isOf(item: YAMLMap, service: ServiceName): boolean {
  const name = item.get("service");
  return typeof name === "string" && serviceKey(resolveService(name)) === serviceKey(service);
}

function portsOf(item: YAMLMap): readonly number[] {
  const { port, ports = [] } = item.toJSON() as {
    readonly port?: number;
    readonly ports?: readonly number[];
  };
  return port === undefined ? ports : [port, ...ports];
}

/** As it was, where nothing was changed. */
function textOf(document: Document, before: string): string {
  const was = parseDocument(before);
  const same =
    JSON.stringify(was.toJSON()) === JSON.stringify(document.toJSON()) && was.comment === document.comment;
  return same ? before : document.toString({ lineWidth: 0, flowCollectionPadding: false });
}
