/** The question `report`: what `heddle bugreport` finds on this machine, as its proxy may read it; an archive in pieces, in base64. */
import type { Runtime } from "../../runtime/contract.ts";
import { problemOf } from "../base/result.ts";
import { limits } from "../model/limits.ts";
import type { Answering } from "./answers.ts";
import type { StateFolder } from "./state_folder.ts";

export function reportAnswering(runtime: Runtime, folder: StateFolder): Answering<"report"> {
  // To make one costs: of several that are asked for together, all get the same.
  let making: Promise<string> | null = null;
  const make = async (): Promise<string> => {
    const { makeBugreport } = await import("./bugreport.ts");
    return (await makeBugreport(runtime, folder)).archive.toBase64();
  };
  return (_question, reply) => {
    making ??= make().finally(() => (making = null));
    making.then(
      (archive) => {
        const { expositionPieceCharacters: size } = limits;
        for (let at = 0; at < archive.length; at += size) reply.line(archive.slice(at, at + size));
        reply.end();
      },
      (error: unknown) => reply.end(problemOf(error)),
    );
  };
}
