/** Checks of options under a policy's own schema: asked of the host by a binding that goes again at once. */
import { limits } from "../model/limits.ts";
import type { Clock } from "../../runtime/contract.ts";

/** What a check of options under a policy's own schema found. */
export interface OptionsAnswer {
  readonly issues: readonly { readonly path: string; readonly message: string }[];
}

/** `about` is whom a check is about. */
export class OptionsChecks<Subject> {
  readonly #open = new Map<number, { about: Subject; finish: (answer: OptionsAnswer) => void }>();

  constructor(readonly clock: Clock) {}

  /** `answered` hears once what was found, or that nothing came in time; `over` goes first in any case. */
  begin(number: number, about: Subject, answered: (answer: OptionsAnswer) => void, over: () => void): void {
    const finish = (answer: OptionsAnswer): void => {
      timer.cancel();
      this.#open.delete(number);
      over();
      answered(answer);
    };
    const late = optionsProblem("the policy host did not answer in time");
    const timer = this.clock.after(limits.policyLoadMs, () => finish(late));
    this.#open.set(number, { about, finish });
  }

  /** False: there is no such check, or it is over. */
  answer(number: number, answer: OptionsAnswer): boolean {
    const check = this.#open.get(number);
    check?.finish(answer);
    return check !== undefined;
  }

  /** Nothing will be found about it any more: why. */
  fail(about: Subject, reason: string): void {
    for (const each of [...this.#open.values()])
      if (each.about === about) each.finish(optionsProblem(reason));
  }
}

export function optionsProblem(message: string): OptionsAnswer {
  return { issues: [{ path: "", message }] };
}
