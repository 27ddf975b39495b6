/** What a proxy says of its state when somebody looks: endpoints, retry budgets, certificates, and how old its configuration is. */
import type { Clock } from "../../runtime/contract.ts";
import type { CredentialStore } from "../identity/credential_store.ts";
import { priorities, priorityLevel } from "../model/priority.ts";
import type { DataPlane } from "../proxy/data_plane.ts";
import { streamKinds } from "../model/stream_kind.ts";
import type { OpenStreams } from "../proxy/answer/open_streams.ts";
import type { Metrics } from "../telemetry/metrics.ts";
import type { ProxyPlane } from "./proxy_plane.ts";
import { endpointState, endpointStates } from "./endpoint_states.ts";
import type { SnapshotFollower } from "./snapshot_follower.ts";
import { families } from "../telemetry/families.ts";

export interface ProxyMetricsOptions {
  readonly clock: Clock;
  readonly plane: Pick<ProxyPlane, "state" | "shedding">;
  readonly store: CredentialStore;
  readonly follower: SnapshotFollower;
}

/** Enough of a snapshot's version to tell it from others; `heddle status` shows as much. */
const versionLength = 8;

export function exposeProxy(metrics: Metrics, options: ProxyMetricsOptions): void {
  const { clock, store } = options;
  const expiry = metrics.gauge(families.identityExpirySeconds);
  metrics.collect(() => {
    metrics.clear("heddle_identity_expiry_seconds");
    for (const credential of [store.node, ...store.services.values()]) {
      if (credential === null) continue;
      expiry(credential.spiffeId).set((credential.notAfterMs - clock.wallMs()) / 1000);
    }
  });
  exposeDestinations(metrics, options);
  exposeConfig(metrics, options);
  exposeShared(metrics, options.plane);
}

/** What each event loop has of its own, to be summed. */
export function exposeTraffic(metrics: Metrics, plane: Pick<DataPlane, "state">): void {
  exposeStreams(metrics, plane);
  exposeConcurrency(metrics, plane);
}

/** What is the same whichever event loop is asked. @visibleForTesting */
export function exposeShared(metrics: Metrics, plane: Pick<ProxyPlane, "state" | "shedding">): void {
  const served = metrics.gauge(families.prioritiesServed);
  const slice = metrics.gauge(families.rateSlicePerSecond);
  const concurrency = metrics.gauge(families.concurrencyLimit);
  metrics.collect(() => {
    for (const family of [families.rateSlicePerSecond, families.concurrencyLimit]) metrics.clear(family.name);
    for (const { key, limits } of plane.state?.locals.values() ?? []) {
      if (limits?.mesh != null) slice(key).set(limits.mesh.bucket.perSecond);
      if (limits?.concurrency != null) concurrency(key).set(limits.concurrency.limit);
    }
    for (const priority of priorities)
      served(priority).set(plane.shedding.admits(priorityLevel(priority)) ? 1 : 0);
  });
}

/** @visibleForTesting */
export function exposeConcurrency(metrics: Metrics, plane: Pick<DataPlane, "state">): void {
  const requests = metrics.gauge(families.concurrencyRequests);
  metrics.collect(() => {
    metrics.clear(families.concurrencyRequests.name);
    for (const { key, limits } of plane.state?.locals.values() ?? []) {
      const concurrency = limits?.concurrency ?? null;
      if (concurrency === null) continue;
      requests(key, "serving").set(concurrency.places.mine);
      requests(key, "waiting").set(concurrency.waiting);
    }
  });
}

function exposeDestinations(metrics: Metrics, { clock, plane }: ProxyMetricsOptions): void {
  const endpoints = metrics.gauge(families.endpoints);
  const budget = metrics.gauge(families.retryBudgetLeft);
  metrics.collect(() => {
    metrics.clear("heddle_endpoints");
    metrics.clear("heddle_retry_budget_left");
    for (const destination of plane.state?.destinations.values() ?? []) {
      for (const state of endpointStates) endpoints(destination.key, state).set(0);
      for (const endpoint of destination.endpoints.values())
        endpoints(destination.key, endpointState(endpoint)).add(1);
      budget(destination.key).set(destination.budget.left(clock.now()));
    }
  });
}

/** A stream between two services of one machine is seen from both sides, hence the direction. @visibleForTesting */
export function exposeStreams(metrics: Metrics, plane: Pick<DataPlane, "state">): void {
  const open = metrics.gauge(families.streamsOpen);
  const expose = (direction: string, services: Iterable<{ key: string; streams: OpenStreams }>): void => {
    for (const { key, streams } of services)
      for (const kind of streamKinds) {
        const count = streams.of(kind);
        if (count !== null) open(direction, key, kind).set(count);
      }
  };
  metrics.collect(() => {
    metrics.clear("heddle_streams_open");
    expose("inbound", plane.state?.locals.values() ?? []);
    expose("outbound", plane.state?.destinations.values() ?? []);
  });
}

function exposeConfig(metrics: Metrics, { clock, plane, follower }: ProxyMetricsOptions): void {
  const age = metrics.gauge(families.configAgeSeconds);
  const version = metrics.gauge(families.configVersion);
  metrics.collect(() => {
    metrics.clear("heddle_config_version");
    const snapshot = plane.state?.snapshot;
    if (snapshot === undefined) return;
    version(snapshot.version.slice(0, versionLength)).set(1);
    if (follower.confirmedMs > 0) age().set(Math.max(0, clock.wallMs() - follower.confirmedMs) / 1000);
  });
}
