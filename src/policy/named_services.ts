/**
 * Where the decisions of a policy may lead: to the services that its options name, and nowhere else. Named is a service when any
 * text in the options as the document gives them, however deep, is its name: `inference`, in the namespace of the service that
 * was called, or `inference.other`. What the schema of a policy adds (defaults, transformed values) was written by nobody who
 * operates the mesh, and does not count. The controller asks the same question to know which services a machine needs.
 */
import { serviceKey, type ServiceName } from "../model/service.ts";

/** What documents accept as the name of a service, with or without its namespace. */
const nameForm = /^[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?)?$/;

/** `inference` in this namespace, or `inference.other`. */
export function serviceNamed(written: string, namespace: string): ServiceName {
  const dot = written.indexOf(".");
  if (dot < 0) return { name: written, namespace };
  return { name: written.slice(0, dot), namespace: written.slice(dot + 1) };
}

/** Keys of the services that the options name, whether these exist or not. */
export function servicesNamedIn(options: unknown, namespace: string): ReadonlySet<string> {
  const keys = new Set<string>();
  collect(options, namespace, keys);
  return keys;
}

function collect(value: unknown, namespace: string, keys: Set<string>): void {
  if (typeof value === "string") {
    if (nameForm.test(value)) keys.add(serviceKey(serviceNamed(value, namespace)));
  } else if (typeof value === "object" && value !== null) {
    for (const inner of Object.values(value)) collect(inner, namespace, keys);
  }
}
