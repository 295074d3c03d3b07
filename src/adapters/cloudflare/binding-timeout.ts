// A time-out for bindings, which take no abort signal. The caller stops waiting; the work itself continues.

import { type Dependency, Outage } from "../../ports/outage.ts";

/** @throws Outage when `work` fails or takes longer than `ms`. */
export async function withBindingTimeout<T>(
  dependency: Dependency,
  what: string,
  ms: number,
  work: Promise<T>,
): Promise<T> {
  const { promise: late, reject } = Promise.withResolvers<never>();
  const timer = setTimeout(() => reject(new Error(`no answer within ${ms} ms`)), ms);
  try {
    return await Promise.race([work, late]);
  } catch (cause) {
    throw new Outage(dependency, what, cause);
  } finally {
    clearTimeout(timer);
  }
}
