/** Checks of options under a policy's own schema: asked of the host by a binding that goes again at once. */
import { limits } from "../model/limits.ts";
import type { Clock } from "../../runtime/contract.ts";

/** What a check of options under a policy's own schema found. */
export interface OptionsAnswer {
  readonly issues: readonly { readonly path: string; readonly message: string }[];
}

export class OptionsChecks {
  readonly #open = new Map<number, (answer: OptionsAnswer) => void>();

  constructor(readonly clock: Clock) {}

  /** `answered` hears once what was found, or that nothing came in time; `settled` goes first when something came. */
  begin(number: number, answered: (answer: OptionsAnswer) => void, settled: () => void): void {
    const timer = this.clock.after(limits.policyLoadMs, () => {
      if (this.#open.delete(number)) answered(optionsProblem("the policy host did not answer in time"));
    });
    this.#open.set(number, (answer) => {
      timer.cancel();
      this.#open.delete(number);
      settled();
      answered(answer);
    });
  }

  /** False: there is no such check, or it is over. */
  answer(number: number, answer: OptionsAnswer): boolean {
    const check = this.#open.get(number);
    check?.(answer);
    return check !== undefined;
  }
}

export function optionsProblem(message: string): OptionsAnswer {
  return { issues: [{ path: "", message }] };
}
