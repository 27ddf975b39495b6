/** Changes to the text of a Machine document, which keep its order and its comments: what a command puts in, and takes out again. */
import { isMap, parseDocument, YAMLSeq, type Document, type YAMLMap } from "yaml";
import { UserError } from "../base/user_error.ts";
import { serviceKey, type ServiceName } from "../model/service.ts";
import { resolveService } from "./fields.ts";

export interface UnitInstance {
  readonly unit: string;
  readonly service: ServiceName;
  readonly port: number;
  /** null: 127.0.0.1, or what stands there. */
  readonly host: string | null;
  /** HTTP path of its probe; null: none, or what stands there. */
  readonly health: string | null;
}

/** The text with the instance: one that stands for this service and port belongs to the unit now; one of the unit that has another port is moved. */
export function withUnit(text: string, instance: UnitInstance): string {
  const { unit, service, port, host, health } = instance;
  const document = parseDocument(text);
  const services = servicesIn(document);
  const ofService = services.items.filter((item): item is YAMLMap => isMap(item) && isOf(item, service));
  const item =
    ofService.find((each) => portsOf(each).includes(port)) ??
    ofService.find((each) => each.get("unit") === unit);
  if (item === undefined) {
    const written = {
      service: service.namespace === "default" ? service.name : serviceKey(service),
      ...(host === null ? {} : { host }),
      port,
      unit,
      ...(health === null ? {} : { health: { http: health } }),
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
  set("unit", unit);
  if (host !== null) set("host", host);
  if (health !== null) set("health", { http: health });
  return textOf(document, text);
}

/** The text without the instances of the unit. */
export function withoutUnit(text: string, unit: string): string {
  const document = parseDocument(text);
  const services = servicesIn(document);
  services.items = services.items.filter((item) => !isMap(item) || item.get("unit") !== unit);
  return textOf(document, text);
}

function servicesIn(document: Document): YAMLSeq {
  const found = document.get("services");
  if (found instanceof YAMLSeq) return found;
  const made = new YAMLSeq();
  document.set("services", made);
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
  const same = JSON.stringify(parseDocument(before).toJSON()) === JSON.stringify(document.toJSON());
  return same ? before : document.toString({ lineWidth: 0, flowCollectionPadding: false });
}
