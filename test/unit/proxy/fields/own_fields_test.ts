/** Names of heddle's own, and what poses as them, cross the mesh in no direction: from clients, from apps, in interim answers. */
import { afterAll, beforeAll, expect, test } from "bun:test";
import type { Fields } from "../../../../src/wire/fields.ts";
import { noEdits, type FieldEdits } from "../../../../src/wire/fields.ts";
import { dialHttp2, Heard, request, serve } from "../../../support/http_relay.ts";
import { Planes, runtime } from "../../../support/planes.ts";
import { until } from "../../../support/sockets.ts";

const forged: readonly string[] = [
  ...["x-heddle-error", "AD/forged", "x_heddle_caller", "forged", "x-heddle_repeat", "yes"],
  ...["x_forwarded_client_cert", "forged", "x_request_id", "forged", "x-forwarded_for", "forged"],
];
const forgedEdits: FieldEdits = { ...noEdits, set: [...forged, "x-kept", "1"] };

/** Fields as they came, the last head first. */
const seen: string[][] = [];
const app = serve(runtime, (exchange) => {
  seen.push(linesOf(exchange.request.fields));
  exchange.inform(103, null, forgedEdits);
  exchange.respond(200, null, forgedEdits, 0);
  exchange.end(null);
});

function linesOf(fields: Fields): string[] {
  return Array.from({ length: fields.count }, (_, at) => `${fields.nameAt(at)}: ${fields.valueAt(at)}`);
}

class HeardInterim extends Heard {
  readonly early: string[][] = [];
  override informational(status: number, fields?: Fields): void {
    super.informational(status);
    if (fields !== undefined) this.early.push(linesOf(fields));
  }
}

let planes: Planes;
beforeAll(async () => {
  planes = await Planes.start(
    { name: "a", services: { caller: { app: 9 }, here: { app: app.port } } },
    { name: "b", services: { far: { app: app.port } } },
  );
  planes.apply({ here: { protocol: "http2" }, far: { protocol: "http2" } });
});
afterAll(async () => {
  await planes.close();
  app.close();
});

for (const service of ["here", "far"]) {
  test(`they are left out on the way to and from a service that is ${service}`, async () => {
    seen.length = 0;
    const client = await dialHttp2(runtime, planes.machine("a").port("caller"));
    const heard = new HeardInterim();
    client.start(request({ authority: `${service}.mesh` }), forgedEdits, heard).end(null);
    await until(() => heard.over, "the call is over");
    client.destroy();
    const heads = [seen[0] ?? [], heard.early[0] ?? [], linesOf(heard.answer?.fields as Fields)];
    for (const head of heads) {
      expect(head).toContain("x-kept: 1");
      expect(head.filter((line) => /forged|repeat/.test(line))).toEqual([]);
    }
    expect(seen[0]).toContain("x-heddle-caller: caller.default");
  });
}
