/** `kind: ReferenceGrant`: which routes of other namespaces may lead to services of this one, as the Gateway API has it. */
import * as v from "valibot";
import type { ReferenceGrantDocument } from "../../model/document.ts";
import { defaultNamespace } from "../../model/service.ts";
import { common, list, name, object, said } from "../fields.ts";
import { defineKind } from "../kind.ts";

const routeGroup = "gateway.networking.k8s.io";
const serviceGroup = "";
const word = v.pipe(v.string("a word"), v.maxLength(253, "at most 253 characters"));

const schema = object({
  kind: v.literal("ReferenceGrant"),
  ...common,
  from: said(
    list(
      object({
        group: v.optional(said(word, `Group of the kind (default: ${routeGroup})`)),
        kind: said(word, "Kind of document: HTTPRoute, GRPCRoute, TLSRoute or TCPRoute"),
        namespace: said(name, "Namespace that it lies in"),
      }),
      16,
      1,
    ),
    "What may refer to services of this namespace",
  ),
  to: said(
    list(
      object({
        group: v.optional(said(word, 'Group of the kind (default: "")')),
        kind: said(word, "Kind of what is referred to: Service"),
        name: v.optional(said(name, "Its name (default: all)")),
      }),
      16,
      1,
    ),
    "To what of this namespace",
  ),
});

/** What is of another group, or another kind than Service, is granted nothing: heddle reads no such references. */
function expand(written: v.InferOutput<typeof schema>): ReferenceGrantDocument {
  const { name, namespace = defaultNamespace, from, to } = written;
  return {
    ...{ kind: "ReferenceGrant", name, namespace },
    from: from
      .filter(({ group = routeGroup }) => group === routeGroup)
      .map((each) => ({ kind: each.kind, namespace: each.namespace })),
    to: to
      .filter(({ group = serviceGroup, kind }) => group === serviceGroup && kind === "Service")
      .map((each) => each.name ?? null),
  };
}

const example = `kind: ReferenceGrant
name: shop-routes
namespace: warehouse
from: [{kind: HTTPRoute, namespace: shop}]
to: [{kind: Service, name: stock}]`;

export const referenceGrant = defineKind({
  name: "ReferenceGrant",
  words: "Which routes of other namespaces, written for the Gateway API, may lead to services of this one",
  example,
  schema,
  expand,
});
