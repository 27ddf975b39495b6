/** `MeshRetry`, `MeshTimeout`, `MeshCircuitBreaker`: what the calls of a service go by, or of all. */
import type { KumaDocument } from "./kuma_document.ts";
import { referenceOf } from "./kuma_reference.ts";
import type { Fields } from "./origin.ts";
import { durationText, type Written } from "./target.ts";

type Put = (group: string, fields: Written) => void;

/** Of each part of the policy; `side`: of those that call, or of the service itself. */
function each(document: KumaDocument, read: (conf: Fields, put: Put, side: "to" | "from") => void): void {
  const { origin, spec, target } = document;
  const top = spec.has("targetRef") ? referenceOf(spec.inner("targetRef")) : null;
  if (top === undefined) return;
  for (const part of spec.list("to")) {
    const service = referenceOf(part.inner("targetRef"));
    if (service === undefined) continue;
    if (top !== null)
      origin.loss(
        ["spec", "targetRef"],
        `it holds for the calls of ${top.name} there, and here for those of all`,
      );
    const put: Put = (group, fields) =>
      service === null
        ? target.everywhere(group, fields, origin)
        : target.traffic(service, group, fields, origin);
    read(part.inner("default"), put, "to");
  }
  for (const part of [...spec.list("from"), ...spec.list("rules")]) {
    if (part.has("targetRef") && referenceOf(part.inner("targetRef")) !== null)
      origin.loss(part.path, "it holds for some callers there, and here for all");
    part.loss("matches", "it holds for some callers there, and here for all");
    const put: Put = (group, fields) =>
      top === null ? target.everywhere(group, fields, origin) : target.traffic(top, group, fields, origin);
    read(part.inner("default"), put, "from");
  }
}

export function readMeshTimeout(document: KumaDocument): void {
  each(document, (conf, put, side) => {
    const http = conf.inner("http");
    for (const field of ["maxStreamDuration", "maxConnectionDuration", "requestHeadersTimeout"])
      http.loss(field, "there is no counterpart: streams and connections go on while they move");
    const times = {
      connect: durationText(conf.duration("connectionTimeout") || undefined),
      idle: durationText(conf.duration("idleTimeout") || undefined),
      request: durationText(http.duration("requestTimeout")),
      streamIdle: durationText(http.duration("streamIdleTimeout")),
    };
    if (side === "to") return put("timeouts", times);
    if (Object.values(times).some((value) => value !== undefined))
      conf.origin.loss(
        conf.path,
        "time limits are those of the callers here: what the service says of itself is left out",
      );
  });
}

export function readMeshRetry(document: KumaDocument): void {
  each(document, (conf, put) => {
    const http = conf.inner("http");
    const grpc = conf.inner("grpc");
    const on = new Set<string>();
    const codes = new Set<number>();
    const methods = new Set<string>();
    for (const reason of http.words("retryOn").map((text) => text.toLowerCase())) {
      if (reason === "5xx") for (const code of [500, 502, 503, 504]) codes.add(code);
      else if (reason === "gatewayerror") on.add("gateway-error");
      else if (reason === "connectfailure") on.add("connect-failure");
      else if (reason === "refusedstream") on.add("refused-stream");
      else if (reason === "reset") on.add("reset");
      else if (/^[45]\d\d$/.test(reason)) codes.add(Number(reason));
      else if (/^httpmethod/.test(reason)) methods.add(reason.slice("httpmethod".length).toUpperCase());
      else http.origin.loss([...http.path, "retryOn"], `${reason} is no reason here`);
    }
    if (methods.size > 0)
      http.origin.loss(
        [...http.path, "retryOn"],
        `methods that may happen twice are sent again, others where idempotent says so; not by name (${[...methods].join(", ")})`,
      );
    const grpcCodes = grpc
      .words("retryOn")
      .map((text) => text.replace(/([a-z])([A-Z])/g, "$1_$2").toUpperCase());
    if (grpcCodes.length > 0)
      conf.origin.note(
        [...grpc.path, "retryOn"],
        "calls of gRPC are sent again only where idempotent says so",
      );
    const backOff = http.inner("backOff");
    grpc.loss("numRetries", "attempts are the same for all requests of a service");
    grpc.loss("perTryTimeout", "it is the same for all requests of a service");
    grpc.loss("backOff", "it is the same for all requests of a service");
    for (const field of [
      "retriableRequestHeaders",
      "retriableResponseHeaders",
      "rateLimitedBackOff",
      "hostSelection",
      "hostSelectionMaxAttempts",
    ]) {
      http.loss(field, "another attempt goes to another instance; Retry-After is obeyed");
      grpc.loss(field, "another attempt goes to another instance; Retry-After is obeyed");
    }
    conf.loss("tcp", "a connection is tried at other instances within timeouts.connect");
    put("timeouts", { perTry: durationText(http.duration("perTryTimeout")) });
    put("retries", {
      attempts: http.number("numRetries"),
      on: on.size === 0 ? undefined : [...on],
      codes: codes.size === 0 ? undefined : [...codes],
      grpc: grpcCodes.length === 0 ? undefined : grpcCodes,
      backoff: durationText(backOff.duration("baseInterval")),
      backoffMax: durationText(backOff.duration("maxInterval")),
    });
  });
}

export function readMeshCircuitBreaker(document: KumaDocument): void {
  each(document, (conf, put) => {
    const limits = conf.inner("connectionLimits");
    limits.loss("maxRetries", "retries are bounded by retryBudget here");
    limits.loss("maxConnectionPools", "connections are bounded by limits.connections");
    put("limits", {
      connections: limits.number("maxConnections"),
      pending: limits.number("maxPendingRequests"),
      requests: limits.number("maxRequests"),
    });
    const outlier = conf.inner("outlierDetection");
    const isOff = outlier.flag("disabled") === true;
    const detectors = outlier.inner("detectors");
    const share = detectors.inner("failurePercentage");
    share.loss("requestVolume", "answers within a window count: circuitBreaking.answers");
    share.loss("minimumHosts", "one instance is always left");
    const threshold = share.number("threshold");
    detectors.loss(
      "successRate",
      "instances are compared to a share of successes here: circuitBreaking.successPercent",
    );
    for (const field of ["gatewayFailures", "localOriginFailures"])
      detectors.loss(field, "all failures count together: totalFailures");
    outlier.loss("interval", "each answer counts at once here, not at intervals");
    outlier.loss("splitExternalAndLocalErrors", "all failures count together");
    outlier.loss(
      "healthyPanicThreshold",
      "an instance that is not ready is never called; Kuma 3.0 drops it itself",
    );
    put("circuitBreaking", {
      failures: isOff ? undefined : detectors.inner("totalFailures").number("consecutive"),
      successPercent: threshold === undefined || isOff ? undefined : 100 - threshold,
      penalty: isOff ? undefined : durationText(outlier.duration("baseEjectionTime")),
      ejectedPercent: isOff ? 0 : outlier.number("maxEjectionPercent"),
    });
  });
}
