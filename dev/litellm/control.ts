// HTTP controls of the simulator, under /_sim, for people and for tests that know only its address.
// LiteLLM has none of these routes. They require no key, so they must be reachable on loopback only.

import { Hono } from "hono";
import { detailError } from "./errors.ts";
import { checkFields, type FieldTypes } from "./fields.ts";
import type { Outgoing } from "./outgoing/outgoing.ts";
import { receiversFrom } from "./outgoing/receivers.ts";
import type { RequestLog } from "./request-log.ts";
import type { Store } from "./state/store.ts";

/** `subject` is a key (raw or hash) or a team id; `usd` an amount. */
const SPEND_FIELDS: FieldTypes = { subject: "string!", usd: "number!" };

export function controlRoutes(store: Store, log: RequestLog): Hono {
  const app = new Hono();
  const spending = (act: (subject: string, usd: number) => void) => async (request: Request) => {
    const { subject, usd } = checkFields(await request.json(), SPEND_FIELDS);
    if (typeof subject !== "string" || typeof usd !== "number") throw detailError(400, "subject and usd are required");
    act(subject, usd);
    return Response.json({ done: true });
  };
  const add = spending((subject, usd) => store.spend(subject, usd));
  const set = spending((subject, usd) => store.setSpend(subject, usd));
  app.post("/_sim/spend", (c) => add(c.req.raw));
  app.post("/_sim/set-spend", (c) => set(c.req.raw));
  const reserve = spending((subject, usd) => store.reserve(subject, usd));
  app.post("/_sim/reserve", (c) => reserve(c.req.raw));
  app.post("/_sim/flush-spend", (c) => {
    store.flushSpend();
    return c.json({ done: true });
  });
  app.post("/_sim/run-reset-job", (c) => {
    store.runResetJob();
    return c.json({ done: true });
  });
  app.get("/_sim/requests", (c) => c.json({ requests: log.all() }));
  app.delete("/_sim/requests", (c) => {
    log.clear();
    return c.json({ done: true });
  });
  return app;
}

/** Routes that set the receivers and list the requests that the simulator has sent to them. */
export function outgoingControls(outgoing: Outgoing): Hono {
  const app = new Hono();
  app.post("/_sim/connect", async (c) => {
    outgoing.connect(receiversFrom(await c.req.json()));
    return c.json({ done: true });
  });
  app.post("/_sim/flush-events", async (c) => {
    await outgoing.flushEvents();
    return c.json({ done: true });
  });
  app.get("/_sim/sent", (c) => c.json({ sent: outgoing.sent.all() }));
  app.delete("/_sim/sent", (c) => {
    outgoing.sent.clear();
    return c.json({ done: true });
  });
  return app;
}
