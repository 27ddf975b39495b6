/** A controller without the root's key has its next intermediate from the one that has it, whichever that is. */
import { controllerPaths, type JoinNonce } from "../api/messages.ts";
import type { IntermediateAnswer, IntermediateRequest } from "../api/authority_messages.ts";
import { prove, type KeyPair } from "../identity/keys.ts";
import type { Peers } from "./peers.ts";

/** The certificate, PEM. */
export async function askIntermediate(
  peers: Pick<Peers, "names" | "clientOf">,
  own: string,
  { publicKey, privatePem }: KeyPair,
): Promise<string> {
  let problem = "no other controller is known";
  for (const name of peers.names) {
    const client = peers.clientOf(name);
    try {
      const made = (await client?.call("POST", controllerPaths.nonce, {}))?.body as JoinNonce | undefined;
      if (client === null || made === undefined) continue;
      const { nonce } = made;
      const signature = prove(privatePem, `heddle-intermediate:${nonce}:${own}`);
      const request: IntermediateRequest = { nonce, publicKey, signature, place: null };
      const answer = await client.call("POST", controllerPaths.intermediate, request);
      return (answer.body as IntermediateAnswer).certificatePem;
    } catch (error) {
      problem = (error as Error).message;
    }
  }
  throw new Error(`no controller gives an intermediate: ${problem}`);
}
