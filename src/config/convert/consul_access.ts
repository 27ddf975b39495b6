/** `service-intentions`: who may call. The intention of a named source comes before that of all of them. */
import { kinds } from "../kinds.ts";
import { AnyCase, refuseElsewhere, type ConsulEntry } from "./consul_entry.ts";
import { labelOf, saying, type Target, type Written } from "./target.ts";

export function readIntentions(
  { origin, name, fields }: ConsulEntry,
  target: Target,
  trustDomain: string,
): void {
  if (name.name === "*") return origin.refuse([], "it is for all services: kind: Access is for one each");
  fields.refuse("JWT", "tokens of end users are not looked at here");
  const sources = fields.list("Sources").map((source) => {
    refuseElsewhere(source);
    source.ignore(
      "Precedence",
      "Description",
      "Type",
      "LegacyID",
      "LegacyMeta",
      "LegacyCreateTime",
      "LegacyUpdateTime",
    );
    const said = source.text("Namespace");
    const namespace = said === undefined || said === "" ? name.namespace : said;
    const own = source.text("Name") ?? "";
    const isMany = own === "*";
    const isForAll = isMany && (said === undefined || said === "" || said === "*");
    if (!isMany && namespace === "*") source.refuse("Namespace", "a service is of one namespace here");
    const account = isMany ? own : labelOf(own);
    const from = isForAll ? "any-mesh" : `spiffe://${trustDomain}/ns/${namespace}/sa/${account}`;
    return { source, from, isMany, action: source.text("Action"), permissions: source.list("Permissions") };
  });
  const ofAll = sources.find(({ from }) => from === "any-mesh");
  const allows = ({ action, permissions }: (typeof sources)[number]): boolean =>
    action === "allow" || permissions.some((each) => each.text("Action") === "allow");
  /** Another source, which this one is among, lets something pass. */
  const passesBy = (from: string): boolean =>
    sources.some(
      (other) =>
        other.isMany &&
        other.from !== from &&
        (other === ofAll || from.startsWith(other.from.slice(0, -1))) &&
        allows(other),
    );
  const deny: Written[] = [];
  const allow: Written[] = [];
  for (const { source, from, isMany, action, permissions } of sources) {
    if (permissions.length === 0) {
      if (action === "allow") allow.push({ from });
      // A denial of many would win over those of them that are named; who is not allowed is refused anyway.
      else if (!isMany || passesBy(from)) deny.push({ from });
      continue;
    }
    if (passesBy(from))
      source.refuse(
        "Permissions",
        "what none of them allows is refused there, and would pass here by the rule for all sources: name the sources instead",
      );
    readPermissions(permissions, from, deny, allow);
  }
  if (allow.length === 0 && ofAll === undefined)
    fields.note(
      "Sources",
      "who is not named is refused here; where Consul's default is allow, write allow: [{from: any-mesh}]",
    );
  target.service(name, origin);
  const own = { service: name.name, ...(deny.length === 0 ? {} : { deny }), allow };
  target.add(kinds.Access.name, name, own, origin);
}

/** The first that fits counts there; here what denies does. */
function readPermissions(
  permissions: readonly AnyCase[],
  from: string,
  deny: Written[],
  allow: Written[],
): void {
  const actions = permissions.map((each) => each.text("Action"));
  const firstAllowed = actions.indexOf("allow");
  const lastAllowed = actions.lastIndexOf("allow");
  permissions.forEach((permission, at) => {
    permission.refuse("JWT", "tokens of end users are not looked at here");
    const isAllowed = actions[at] === "allow";
    const operation = operationOf(permission.inner("HTTP"), isAllowed);
    if (isAllowed) return void allow.push({ from, ...operation });
    // What comes after all that is allowed is refused anyway.
    if (firstAllowed < 0 || at > lastAllowed) return;
    if (at > firstAllowed)
      return permission.origin.refuse(
        permission.fields.path,
        "a denial between two that allow: here denials come first, whatever is allowed",
      );
    deny.push({ from, ...operation });
  });
  if (firstAllowed < 0 && !from.endsWith("*") && from !== "any-mesh") deny.push({ from });
}

function operationOf(http: AnyCase, isAllowed: boolean): Written {
  for (const field of ["PathRegex", "Header"]) http.refuse(field, "no rule here asks for this");
  const exact = http.text("PathExact");
  const prefix = http.text("PathPrefix");
  const methods = http.words("Methods");
  let paths: readonly string[] | undefined = exact === undefined || exact === "" ? undefined : [exact];
  if (prefix !== undefined && prefix !== "" && prefix !== "/") {
    if (prefix.endsWith("/")) paths = [`${prefix}*`];
    else if (!isAllowed)
      http.refuse("PathPrefix", `${prefix}: a prefix here ends with a segment, and this denies more`);
    else {
      http.loss(
        "PathPrefix",
        `here ${prefix} and all below it pass, and not what goes on within the segment`,
      );
      paths = [prefix, `${prefix}/*`];
    }
  }
  return saying({ methods: methods.length === 0 ? undefined : methods, paths }) ?? {};
}
