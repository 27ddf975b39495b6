/** `subset` beside the name of a service: the service must have it. */
import type { ServiceDocument } from "../../model/document.ts";
import { serviceKey } from "../../model/service.ts";
import { suggestion } from "../issue.ts";
import type { Report } from "../issue_at.ts";
import type { Path } from "../yaml_file.ts";

/** null: any instance will do. */
export function checkSubset(
  service: ServiceDocument | null,
  subset: string | null,
  path: Path,
  report: Report,
  key = false,
): void {
  if (service === null || subset === null || Object.hasOwn(service.subsets, subset)) return;
  const known = Object.keys(service.subsets);
  const all = known.length === 0 ? "; it has none" : `; it has ${known.join(", ")}`;
  const message = `the Service ${serviceKey(service)} has no subset "${subset}"${suggestion(subset, known, all)}`;
  report(path, message, { key, code: "HED0102" });
}
