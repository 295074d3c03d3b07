// The steps of every management request, in LiteLLM's order: parse the body, authenticate the caller, check the fields.
// Must never depend on what a route does.

import type { Context, Handler } from "hono";
import { authenticate, type Caller } from "../auth.ts";
import type { Body } from "../dict.ts";
import { stringifiedError, validationError } from "../errors.ts";
import { checkFields, type FieldTypes } from "../fields.ts";
import type { Behaviour } from "../profiles.ts";
import { floatText } from "../python-text.ts";
import type { Store } from "../state/store.ts";

export interface ManagementCall {
  caller: Caller;
  /** The sent fields that the route knows. */
  body: Body;
  /** A path parameter, else a query parameter. */
  param: (name: string) => string | undefined;
  now: number;
}

/** Returns the JSON body of the 200 response, or throws a LitellmError. */
type Handle = (call: ManagementCall, store: Store) => unknown;

/** A route that requires the master key. `fields` null: it reads no body. */
export function adminRoute(store: Store, fields: FieldTypes | null, handle: Handle): Handler {
  return managementRoute(store, "admin", fields, handle);
}

/** A route that any valid key may use. */
export function infoRoute(store: Store, fields: FieldTypes | null, handle: Handle): Handler {
  return managementRoute(store, "info", fields, handle);
}

function managementRoute(store: Store, kind: "admin" | "info", fields: FieldTypes | null, handle: Handle): Handler {
  return async (c) => {
    const body = fields === null ? null : await jsonBody(c);
    const caller = authenticate(c.req.raw.headers, { path: c.req.path, kind }, store);
    const checked = fields === null ? {} : checkFields(body, fields);
    store.settle();
    const param = (name: string) => c.req.param(name) ?? c.req.query(name);
    return Response.json(handle({ caller, body: checked, param, now: store.now() }, store) ?? null);
  };
}

async function jsonBody(c: Context): Promise<unknown> {
  const text = await c.req.text();
  if (text === "") return null;
  try {
    return JSON.parse(text);
  } catch {
    const ctx = { error: "Expecting value" };
    throw validationError([{ type: "json_invalid", loc: ["body", 0], msg: "JSON decode error", input: {}, ctx }]);
  }
}

/** LiteLLM refuses negative budgets with a message that is a Python dict. */
export function refuseNegative(
  body: Body,
  names: string[],
  type: "auth_error" | "internal_server_error",
  behaviour: Behaviour,
): void {
  const message = negativeBudget(body, names, behaviour);
  if (message !== null) throw stringifiedError(400, type, message);
}

/** Null: none of the amounts is negative. */
export function negativeBudget(body: Body, names: string[], { release }: Behaviour): string | null {
  const rule = release >= 103 ? "must be a non-negative finite number" : "cannot be negative";
  for (const name of names) {
    const value = body[name];
    if (typeof value === "number" && value < 0) return `${name} ${rule}. Received: ${floatText(value)}`;
  }
  return null;
}
