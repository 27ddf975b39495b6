/** `ServiceProfile`, `HTTPLocalRateLimitPolicy`, and the annotations of a Service: what calls go by. */
import { metadataOf, serviceAt } from "./kubernetes.ts";
import type { LinkerdAccess } from "./linkerd_access.ts";
import type { Fields, Origin } from "./origin.ts";
import { durationText, saying, type RuleDraft, type Target, type Written } from "./target.ts";
import { everything, whole } from "./words.ts";

export function readRateLimit(origin: Origin, target: Target, access: LinkerdAccess): void {
  const root = origin.root();
  const { namespace, annotations } = metadataOf(root);
  annotations.ignore(...annotations.names);
  const spec = root.inner("spec");
  const about = spec.inner("targetRef");
  about.ignore("group", "kind", "namespace");
  const name = about.text("name") ?? "";
  const services = access.servicesOf(namespace, name);
  if (services.length === 0) return about.refuse("name", `these documents have no Server ${name}`);
  const rateOf = (fields: Fields): string | undefined => {
    const perSecond = fields.number("requestsPerSecond");
    return perSecond === undefined ? undefined : `${perSecond}/s`;
  };
  const overrides = spec.list("overrides").flatMap((each) => {
    const rate = rateOf(each);
    return each.list("clientRefs").map((client) => {
      client.ignore("group", "kind");
      const own = { name: client.text("name") ?? "", namespace: client.text("namespace") ?? namespace };
      target.service(own, origin);
      return [own.namespace === namespace ? own.name : `${own.name}.${own.namespace}`, rate] as const;
    });
  });
  for (const service of services)
    target.traffic(
      service,
      "rateLimit",
      {
        total: rateOf(spec.inner("total")),
        identity: rateOf(spec.inner("identity")),
        overrides: overrides.length === 0 ? undefined : Object.fromEntries(overrides),
      },
      origin,
    );
}

/** Of its routes the first that fits counts. */
export function readServiceProfile(origin: Origin, target: Target): void {
  const root = origin.root();
  const { name, namespace, annotations } = metadataOf(root);
  annotations.ignore(...annotations.names);
  const service = serviceAt(name, namespace);
  if (service === null) return origin.refuse(["metadata", "name"], `${name} is no service of the mesh`);
  const spec = root.inner("spec");
  const draft = target.service(service, origin);
  const budget = spec.inner("retryBudget");
  const ratio = budget.number("retryRatio");
  target.traffic(
    service,
    "retryBudget",
    {
      percent: ratio === undefined ? undefined : Math.round(ratio * 100),
      min: budget.number("minRetriesPerSecond"),
      interval: durationText(budget.duration("ttl")),
    },
    origin,
  );
  const opaque = spec.words("opaquePorts");
  if (opaque.length > 0) {
    draft.protocol = "tcp";
    draft.port ??= Number(opaque[0]);
  }
  const backends = spec.list("dstOverrides").map((each) => {
    const authority = (each.text("authority") ?? "").replace(/:\d+$/, "");
    const to = serviceAt(authority, namespace);
    if (to === null) each.refuse("authority", `${authority} is no service of the mesh`);
    else target.service(to, origin);
    const weight = Number(String(each.raw("weight") ?? 1).replace("m", ""));
    return { service: to === null ? "unknown" : `${to.name}.${to.namespace}`, weight };
  });
  const action: Written = backends.length === 0 ? {} : { backends };
  const rules = spec.list("routes").map((route): RuleDraft => {
    route.loss("responseClasses", "a failure is a status of 500 and above, or a status of gRPC that says so");
    const attempts = route.flag("isRetryable") === true ? { retry: { codes: [500, 502, 503, 504] } } : {};
    const timeout = route.duration("timeout");
    const timeouts = saying({ request: durationText(timeout) });
    const condition = route.inner("condition");
    for (const field of ["any", "all", "not"])
      condition.refuse(field, "a match here asks for all that stands in it: write a rule for each");
    const path = condition.text("pathRegex");
    const method = condition.text("method") ?? null;
    const match = {
      ...everything,
      method,
      ...(path === undefined ? {} : { path: { type: "RegularExpression", value: whole(path) } as const }),
    };
    if (attempts.retry !== undefined && (method === "POST" || method === "PATCH"))
      route.note("isRetryable", "requests with this method are sent again only where idempotent says so");
    return {
      ...{ origin, path: route.path, name: route.text("name") },
      matches: [match],
      action: { ...action, ...attempts, ...(timeouts === undefined ? {} : { timeouts }) },
    };
  });
  if (rules.length === 0 && backends.length === 0) return;
  rules.push({ origin, path: spec.path, name: undefined, matches: [everything], action });
  target.orderedRoute(service.name, service, rules);
}

/** `retry.linkerd.io/…`, `timeout.linkerd.io/…`, `balancer.linkerd.io/…`. */
export function readServiceAnnotations(origin: Origin, target: Target): void {
  const { name, namespace, annotations } = metadataOf(origin.root());
  const service = { name, namespace };
  const put = (group: string, fields: Written): void => target.traffic(service, group, fields, origin);
  const codes = (annotations.text("retry.linkerd.io/http") ?? "").split(",").flatMap((text) => {
    if (text === "5xx") return [500, 502, 503, 504];
    if (text === "gateway-error") return [502, 503, 504];
    return /^[45]\d\d$/.test(text.trim()) ? [Number(text)] : [];
  });
  const grpc = (annotations.text("retry.linkerd.io/grpc") ?? "")
    .split(",")
    .map((text) => text.trim().toUpperCase().replaceAll("-", "_"));
  put("retries", {
    codes: codes.length === 0 ? undefined : [...new Set(codes)],
    grpc: grpc[0] === "" ? undefined : grpc,
    attempts: annotations.number("retry.linkerd.io/limit"),
  });
  annotations.loss("timeout.linkerd.io/response", "the time of an answer is that of the whole request");
  put("timeouts", {
    request: durationText(annotations.duration("timeout.linkerd.io/request")),
    perTry: durationText(annotations.duration("retry.linkerd.io/timeout")),
    streamIdle: durationText(annotations.duration("timeout.linkerd.io/idle")),
  });
  const prefix = "balancer.linkerd.io/failure-accrual";
  annotations.ignore(prefix);
  annotations.loss(`${prefix}-consecutive-jitter-ratio`, "penalties have a jitter of their own");
  put("circuitBreaking", {
    failures: annotations.number(`${prefix}-consecutive-max-failures`),
    penalty: durationText(annotations.duration(`${prefix}-consecutive-min-penalty`)),
    penaltyMax: durationText(annotations.duration(`${prefix}-consecutive-max-penalty`)),
  });
}
