/** How a command ends when it cannot do what it was asked. */

/** Said in a sentence or two; the process ends with 2. */
export class Failure extends Error {
  override readonly name = "Failure";
}

/** What a command came to: 0 all is well, 1 what it looked at is not as it should be. Could it not look at all, that is a {@link Failure}. */
export type ExitCode = 0 | 1;
