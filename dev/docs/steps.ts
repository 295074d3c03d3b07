// The steps of a scenario: examples and captures, which the page shows, and preparations, which it does not show.

import type { Product } from "./product.ts";

/** Shell variables by name, without the dollar sign. */
export type Variables = Record<string, string>;

export interface World {
  readonly product: Product;
  /** The shell variables of the next example. */
  readonly variables: Variables;
}

/** A command that a reader can paste, and the status that the product must answer. */
export interface Example {
  readonly name: string;
  readonly status: number;
  readonly command: string;
  /** Shell variables to set from the answer: variable name → path in the body, such as `data.0.id`. */
  readonly keeps: Readonly<Record<string, string>>;
  /**
   * A header of the answer that needs Redis. The command is repeated until it is there: Redis on a busy machine may
   * answer too late for Bursar, which then goes on without it.
   */
  readonly shows?: string;
}

/** A request that Bursar sends. */
export interface Capture {
  readonly name: string;
  /** The request as text, its body last. */
  capture(world: World): Promise<string>;
}

export type Step = Example | Capture | ((world: World) => Promise<void>);

export function example(
  name: string,
  status: number,
  command: string,
  keeps: Readonly<Record<string, string>> = {},
): Example {
  return { name, status, command, keeps };
}

/** Sets the spend of a key or team in LiteLLM, then waits until Bursar accepts another demanded read. */
export function spent(variable: string, usd: number): Step {
  return async ({ product, variables }) => {
    product.litellm.setSpend(variables[variable] ?? variable, usd);
    await pause(DEMANDED_READ_MS);
  };
}

/** Bursar reads LiteLLM at most once a second per tenant, even when a caller demands fresh spend. */
export const DEMANDED_READ_MS = 1_100;

export const pause = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const WAIT_MS = 60_000;

/** Polls until `isTrue` returns true. @throws Error naming `what` on a timeout. */
export async function until(what: string, isTrue: () => Promise<boolean>): Promise<void> {
  const begunAt = Date.now();
  while (!(await isTrue())) {
    if (Date.now() - begunAt > WAIT_MS) throw new Error(`did not happen within ${WAIT_MS} ms: ${what}`);
    await pause(100);
  }
}

/** Waits until at least `alerts` alerts are recorded and no notice is pending. */
export function alertsAreDelivered(alerts: number): Step {
  return ({ product }) =>
    until(`${alerts} alerts are delivered`, async () => {
      const recorded = await product.query("select from budget_alert_history");
      const pending = await product.query("select from notice_deliveries where status = 'pending'");
      return recorded.length >= alerts && pending.length === 0;
    });
}
