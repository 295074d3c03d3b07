// Errors over HTTP: a stable type for each; an outage names its service, a bug only the request.

import { Hono } from "hono";
import { beforeEach, describe, expect, it } from "vitest";
import { createApp } from "../../src/app.ts";
import type { AppEnv } from "../../src/http/app-env.ts";
import { answerError } from "../../src/http/errors.ts";
import { invalidFields, problem } from "../../src/http/problem.ts";
import { Outage } from "../../src/ports/outage.ts";
import { RecordedLog } from "../support/fakes/recorded-log.ts";
import { HttpWorld } from "../support/worlds/http-world.ts";

let world: HttpWorld;
beforeEach(() => {
  world = new HttpWorld();
});

describe("every error", () => {
  it.each([
    ["no such route", "/v1/nothing", {}, 404, "not-found"],
    ["another method", "/v1/budget", { method: "POST" }, 405, "method-not-allowed"],
    [
      "a body that is too large",
      "/v1/tenants",
      { method: "POST", body: "x".repeat(1024 * 1024 + 1) },
      413,
      "too-large",
    ],
    ["no token", "/v1/tenants", {}, 401, "unauthorized"],
  ])("answers %s with a problem type, a status and the request id", async (_, path, options, status, type) => {
    const answer = await world.call(path, options);
    expect(answer.status).toBe(status);
    expect(answer.headers.get("Content-Type")).toBe("application/problem+json");
    expect(answer.headers.get("X-Content-Type-Options")).toBe("nosniff");
    expect(answer.body).toMatchObject({ type: `urn:bursar:problem:${type}`, status });
    expect(answer.body.request_id).toBe(answer.headers.get("X-Request-Id"));
    expect(answer.body.title).not.toBe("");
  });

  it("names the allowed methods in a 405", async () => {
    expect((await world.call("/v1/budget", { method: "POST" })).headers.get("Allow")).toBe("GET, HEAD, OPTIONS");
  });

  it("returns the caller's own request id", async () => {
    const { body } = await world.call("/v1/nothing", { headers: { "X-Request-Id": "mine-1" } });
    expect(body.request_id).toBe("mine-1");
  });
});

/** A route that answers or throws as the test sets it. */
function appThat(handle: () => Response | Promise<Response>) {
  const log = new RecordedLog();
  const app = new Hono<AppEnv>();
  app.use(async (c, next) => {
    c.set("ports", { ...world.ports(), log });
    c.set("requestId", "request-1");
    await next();
  });
  app.get("/v1/things/:id", () => handle());
  app.onError(answerError);
  const get = async () => {
    const response = await app.request("/v1/things/secret-id");
    return { status: response.status, headers: response.headers, body: await response.json() };
  };
  return { get, log };
}

describe("thrown errors", () => {
  it("answers a bug with 500 and the request id; the log has the route's pattern, not the URL", async () => {
    const { get, log } = appThat(() => {
      throw new TypeError("secret internals");
    });
    const { status, body } = await get();
    expect([status, body]).toEqual([
      500,
      { type: "urn:bursar:problem:internal-error", title: "Internal error", status: 500, request_id: "request-1" },
    ]);
    expect(log.lines).toEqual([
      'error unhandled error {"route":"/v1/things/:id","method":"GET","request_id":"request-1"} TypeError: secret internals',
    ]);
  });

  it("answers an outage with 503 and the service, without its cause", async () => {
    const { get, log } = appThat(() => {
      throw new Outage("postgres", "cannot be reached", new Error("postgres://user:password@host"));
    });
    const { status, headers, body } = await get();
    expect([status, headers.get("Retry-After")]).toEqual([503, "5"]);
    expect(body).toMatchObject({
      type: "urn:bursar:problem:dependency-unavailable",
      detail: "postgres cannot be reached.",
    });
    expect(JSON.stringify(body)).not.toContain("password");
    expect(log.lines).toHaveLength(1);
  });

  it("answers 500 without details when the configuration is invalid", async () => {
    const app = createApp(() => {
      throw new Error("configuration: ADMIN_TOKENS: secret");
    });
    const execution = { waitUntil: () => {}, passThroughOnException: () => {}, props: {} };
    for (const path of ["/v1/budget", "/healthz"]) {
      const response = await app.request(path, {}, {} as Env, execution);
      expect(response.status).toBe(500);
      expect(await response.text()).not.toContain("ADMIN_TOKENS");
    }
  });

  it("names the service of an outage before the ports exist", async () => {
    const app = new Hono<AppEnv>().get("/", () => {
      throw new Outage("kv", "away", null);
    });
    app.onError(answerError);
    expect((await app.request("/")).status).toBe(503);
  });
});

it("names each invalid field, and all of them in the detail", async () => {
  const app = new Hono<AppEnv>().get("/", (c) =>
    invalidFields(c, [
      { field: "", message: "must be an object" },
      { field: "max_budget", message: "must not be negative" },
    ]),
  );
  const response = await app.request("/");
  expect(response.status).toBe(422);
  expect(await response.json()).toMatchObject({
    type: "urn:bursar:problem:invalid-fields",
    detail: "must be an object; max_budget: must not be negative",
    errors: [
      { field: "", message: "must be an object" },
      { field: "max_budget", message: "must not be negative" },
    ],
  });
});

it("omits the detail of a problem without one", async () => {
  const app = new Hono<AppEnv>().get("/", (c) => problem(c, "not-found"));
  expect(await (await app.request("/")).json()).toEqual({
    type: "urn:bursar:problem:not-found",
    title: "Not found",
    status: 404,
  });
});
