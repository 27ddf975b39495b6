/** Fields that documents of several kinds have, each with what is said where a value does not fit. */
import * as v from "valibot";
import { parseDuration } from "../base/duration.ts";
import { defaultNamespace, type ServiceName } from "../model/service.ts";
import { mapping, record } from "./record.ts";

const labelForm = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?$/;

export const name = v.pipe(
  v.string("a name"),
  v.regex(labelForm, "a name of lower-case letters, digits and -, at most 63 characters"),
);
/** A field with what it is for, in one sentence without a full stop: `heddle explain` shows it. */
export function said<const Schema extends v.GenericSchema>(schema: Schema, words: string) {
  return v.pipe(schema, v.description(words));
}

/** What every document of the mesh has. */
export const common = {
  name: said(name, "Its name, unique among documents of its kind in the namespace"),
  namespace: v.optional(said(name, "Namespace that it lies in (default: default)")),
};
export const serviceName = v.pipe(
  v.string("a service such as orders or orders.prod"),
  v.check(isServiceName, "a service such as orders or orders.prod"),
);
export const duration = v.pipe(
  v.string("a duration such as 500ms, 5s or 1h30m"),
  v.check((text) => parseDuration(text) !== null, "a duration such as 500ms, 5s or 1h30m"),
  v.transform((text) => parseDuration(text) ?? 0),
);
export const port = v.pipe(
  v.number("a port from 1 to 65535"),
  v.integer("a port from 1 to 65535"),
  v.minValue(1, "a port from 1 to 65535"),
  v.maxValue(65_535, "a port from 1 to 65535"),
);
export const flag = v.boolean("true or false");
const labelValue = v.pipe(
  v.union([v.string(), v.number(), v.boolean()], "a word or a number"),
  v.transform(String),
  v.maxLength(63, "a value of at most 63 characters"),
);
export const labels = record(
  v.pipe(v.string(), v.maxLength(63, "a label name of at most 63 characters")),
  labelValue,
);
export const method = v.pipe(
  v.string("a method such as GET"),
  v.regex(/^[A-Z][A-Z-]{0,31}$/, "a method in capitals such as GET"),
);

/** A mapping of these fields; others are refused. */
export function object<const Entries extends v.ObjectEntries>(entries: Entries) {
  return v.pipe(mapping, v.strictObject(entries));
}

export function list<const Item extends v.GenericSchema>(item: Item, most: number, least = 0) {
  return v.pipe(
    v.array(item, "a list"),
    v.minLength(least, `at least ${least}`),
    v.maxLength(most, `at most ${most}`),
  );
}

export function isLabel(text: string): boolean {
  return labelForm.test(text);
}

export function isServiceName(text: string): boolean {
  const parts = text.split(".");
  return parts.length <= 2 && parts.every(isLabel);
}

/** `orders` in the namespace around it, `orders.prod` in its own. */
export function resolveService(text: string, namespace: string = defaultNamespace): ServiceName {
  const [name = "", own = namespace] = text.split(".");
  return { name, namespace: own };
}
