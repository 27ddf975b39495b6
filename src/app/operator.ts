/** The operator's way to the controller: the credential that `init` wrote. */
import type { Runtime } from "../../runtime/contract.ts";
import { UserError } from "../base/user_error.ts";
import type { ControlClient } from "../api/control.ts";
import { createControlClient } from "../api/control_client.ts";
import { Shard } from "../http/shard.ts";
import { principalOf } from "../identity/spiffe_id.ts";
import { ModeCredentialFile } from "./mode_credential.ts";
import type { StateFolder } from "./state_folder.ts";

export async function openOperator(runtime: Runtime, folder: StateFolder): Promise<ControlClient> {
  const path = runtime.process.env["HEDDLE_OPERATOR"] ?? folder.operator;
  const file = new ModeCredentialFile(runtime.files, path);
  const credential = await file.load();
  if (credential === null) {
    throw new UserError(
      `Cannot act as an operator: there is no credential at ${path}`,
      "It is written by `heddle init` on the first machine; run this there, or copy the file and set HEDDLE_OPERATOR",
    );
  }
  if (credential.notAfterMs < runtime.clock.wallMs()) {
    throw new UserError(
      `Cannot act as an operator: the credential at ${path} ended ${new Date(credential.notAfterMs).toISOString()}`,
      "The controller renews the one in its own state folder while it runs",
    );
  }
  const trustDomain = credential.spiffeId.split("/")[2] ?? "";
  const { net, clock } = runtime;
  return createControlClient({
    net,
    clock,
    shard: new Shard(clock),
    ...credential.controller,
    identity: () => file.identity(),
    expect: (id) => principalOf(id, trustDomain)?.kind === "controller",
    serverName: "controller.heddle",
  });
}
