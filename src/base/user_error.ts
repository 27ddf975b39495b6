/**
 * A failure that is told to a person: what failed, and what to type or change next. Everything else that reaches the
 * command line is a bug and is shown with its stack.
 */
export class UserError extends Error {
  override readonly name = "UserError";
  constructor(
    message: string,
    readonly hint: string | null = null,
    /** 1: the answer is no, or there are findings. 2: it could not be tried. */
    readonly exitCode: 1 | 2 = 2,
  ) {
    super(message);
  }
}
