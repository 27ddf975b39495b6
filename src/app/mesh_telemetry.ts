/** What the mesh says of telemetry, as a registry finds it in its own store: it has no snapshot that would tell it. */
import { registryKeys } from "../api/messages.ts";
import type { StoredDocument } from "../controller/catalog.ts";
import { meshIn } from "../model/document.ts";
import type { TelemetrySettings } from "../model/telemetry.ts";
import type { Store } from "../registry/store.ts";

const prefix = `${registryKeys.documents}Mesh/`;

/** Tells it at once, and whenever it changes. Returns what ends that. */
export function followMeshTelemetry(
  store: Pick<Store, "range" | "watch">,
  changed: (settings: TelemetrySettings) => void,
): () => void {
  let reading = Promise.resolve();
  const look = (): void => {
    const values = store.range(prefix).entries.map(({ value }) => value);
    reading = reading.then(async () => changed(await telemetryIn(values).catch(() => ({}))));
  };
  look();
  const watch = store.watch(prefix, store.range(prefix).revision, look);
  return watch.ok ? watch.stop : () => {};
}

/** Documents were checked when they were applied; one of a newer version that this one does not take says nothing. */
async function telemetryIn(values: readonly string[]): Promise<TelemetrySettings> {
  const texts = values.map((value) => (JSON.parse(value) as StoredDocument).text);
  // Without one the reader of YAML stays out of the memory.
  if (!texts.some((text) => text.includes("telemetry"))) return {};
  const { loadDocuments } = await import("../config/load.ts");
  const files = texts.map((text, at) => ({ file: `mesh-${at}.yaml`, text }));
  const { documents } = loadDocuments(files, { policies: [] });
  return meshIn(documents.map(({ document }) => document))?.telemetry ?? {};
}
