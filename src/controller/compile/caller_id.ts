/** Who a document means by `from`: the SPIFFE ID of a service by its name, other IDs as they stand. */
import { serviceId } from "../../model/identity.ts";

/** `around`: the namespace of the document. */
export function callerId(from: string, around: string, trustDomain: string): string {
  if (from.startsWith("spiffe://")) return from;
  const [name = "", namespace = around] = from.split(".");
  return serviceId(trustDomain, { name, namespace });
}
