/** Where a control plane under test says that it is, kept in memory. */
import type { OwnPlace, PlaceKeeper } from "../../src/controller/control_place.ts";

export function placeOf(host: string): PlaceKeeper {
  let now: OwnPlace = { controllers: [{ host, port: 7443 }], registries: [{ host, port: 7444 }] };
  return {
    now: () => now,
    change: async (next) => {
      now = next;
    },
  };
}
