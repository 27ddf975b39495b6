/** One config entry, whichever way its names are written: `PathExact`, `pathExact` or `path_exact`. */
import { defaultNamespace, type ServiceName } from "../../model/service.ts";
import { metadataOf } from "./kubernetes.ts";
import { Fields, type Origin } from "./origin.ts";
import { labelOf } from "./target.ts";

export interface ConsulEntry {
  readonly origin: Origin;
  /** `servicerouter`, whichever way it is written. */
  readonly kind: string;
  readonly kindField: string;
  readonly name: ServiceName;
  readonly fields: AnyCase;
}

/** Fields by their name in Consul's reference. */
export class AnyCase {
  constructor(readonly fields: Fields) {}

  get origin(): Origin {
    return this.fields.origin;
  }

  /** As it is written here. Where it is in two ways, which counts is not told: what one of them denies could get lost. */
  key(name: string): string {
    const plain = (text: string): string => text.replaceAll(/[_-]/g, "").toLowerCase();
    const [own = name, other] = this.fields.names.filter((each) => plain(each) === plain(name));
    if (other !== undefined)
      this.fields.refuse(other, `it is the same field as ${own}, which stands here, too`);
    return own;
  }

  has(name: string): boolean {
    return this.fields.has(this.key(name));
  }

  text(name: string): string | undefined {
    return this.fields.text(this.key(name));
  }

  number(name: string): number | undefined {
    return this.fields.number(this.key(name));
  }

  flag(name: string): boolean | undefined {
    return this.fields.flag(this.key(name));
  }

  /** Also as Go marshals it: nanoseconds. */
  duration(name: string): number | undefined {
    const key = this.key(name);
    const value = this.fields.value[key];
    if (typeof value === "number") return Math.round((this.fields.raw(key) as number) / 1_000_000);
    return this.fields.duration(key);
  }

  inner(name: string): AnyCase {
    return new AnyCase(this.fields.inner(this.key(name)));
  }

  /** Where Consul wants a list, a mapping is one of one: a single block of HCL (`Sources { … }`). */
  list(name: string): readonly AnyCase[] {
    const value = this.fields.value[this.key(name)];
    if (typeof value === "object" && value !== null && !Array.isArray(value)) return [this.inner(name)];
    return this.fields.list(this.key(name)).map((each) => new AnyCase(each));
  }

  words(name: string): readonly string[] {
    return this.fields.words(this.key(name));
  }

  numbers(name: string): readonly number[] {
    return this.fields.numbers(this.key(name));
  }

  texts(name: string): Readonly<Record<string, string>> {
    return this.fields.texts(this.key(name));
  }

  loss(name: string, text: string): void {
    this.fields.loss(this.key(name), text);
  }

  refuse(name: string, text: string): void {
    this.fields.refuse(this.key(name), text);
  }

  note(name: string, text: string): void {
    this.fields.note(this.key(name), text);
  }

  /** Of Consul's own book-keeping. */
  ignore(...names: readonly string[]): void {
    this.fields.ignore(...names.map((name) => this.key(name)));
  }
}

/** null, and refused: it is none. */
export function entryOf(origin: Origin): ConsulEntry | null {
  const root = origin.root();
  const isResource = root.has("apiVersion");
  const own = new AnyCase(root);
  const kindField = own.key("Kind");
  const kind = (own.text("Kind") ?? "").replaceAll(/[_-]/g, "").toLowerCase();
  if (kind === "") {
    origin.refuse([], "expected a config entry with Kind: consul config read prints one as JSON");
    return null;
  }
  if (isResource) {
    const { name, namespace } = metadataOf(root);
    const spec = new AnyCase(root.inner("spec"));
    // What intentions are about is said by their destination.
    const destination = kind === "serviceintentions" ? spec.inner("Destination").text("Name") : undefined;
    return { origin, kind, kindField, name: nameOf(destination ?? name, namespace), fields: spec };
  }
  own.ignore("CreateIndex", "ModifyIndex", "Hash", "Meta", "Status");
  own.loss("Partition", "there are no partitions here");
  const name = nameOf(own.text("Name") ?? "", own.text("Namespace") ?? defaultNamespace);
  return { origin, kind, kindField, name, fields: own };
}

export function nameOf(name: string, namespace: string): ServiceName {
  return { name: name === "*" ? "*" : labelOf(name), namespace };
}

/** Of another datacenter or peer nothing is known here. */
export function refuseElsewhere(fields: AnyCase): void {
  for (const name of ["Datacenter", "Peer", "SamenessGroup"])
    if ((fields.fields.value[fields.key(name)] ?? "") !== "") fields.refuse(name, "there is one mesh here");
    else fields.ignore(name);
  if (!["", "default", undefined].includes(fields.text("Partition")))
    fields.refuse("Partition", "there is one mesh here");
}
