/** A time limit on a call over the network. What both Workers need of the platform lives in this room. */

/** Thrown when a call has not answered in time. */
export class DeadlineError extends Error {
  override readonly name = "DeadlineError";
}

/** The call's result, or a {@link DeadlineError} after `ms`. The timer ends with the call. */
export async function withDeadline<Value>(call: Promise<Value>, ms: number): Promise<Value> {
  let timer: ReturnType<typeof setTimeout> | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new DeadlineError(`no answer within ${ms} ms`)), ms);
  });
  try {
    return await Promise.race([call, late]);
  } finally {
    if (timer !== undefined) clearTimeout(timer);
  }
}
