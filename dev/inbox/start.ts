// The inbox of the local stack: where notices arrive. Nothing is sent to it yet, and it says so.

import { Hono } from "hono";
import { type Part, startPart } from "../part.ts";

const PAGE = `<!doctype html>
<meta charset="utf-8">
<title>Bursar inbox</title>
<style>body { font: 16px/1.5 system-ui; max-width: 40rem; margin: 4rem auto; padding: 0 1rem }</style>
<h1>Inbox</h1>
<p>No notices yet. The same as JSON: <a href="/messages">/messages</a></p>
`;

/** @throws PortTakenError naming INBOX_PORT. */
export function startInbox(port: number): Promise<Part> {
  const app = new Hono().get("/", (c) => c.html(PAGE)).get("/messages", (c) => c.json({ data: [] }));
  return startPart({ name: "inbox", port, portVariable: "INBOX_PORT", handler: (request) => app.fetch(request) });
}
