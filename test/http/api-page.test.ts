// docs/api.md has a section and an example for every route of the app.

import { readFileSync } from "node:fs";
import { describe, expect, it } from "vitest";
import { createApp } from "../../src/app.ts";

const page = readFileSync(new URL("../../docs/api.md", import.meta.url), "utf8");

const app = createApp(() => {
  throw new Error("no request is made");
});

/** `GET /v1/tenants/{id}`; middleware has the method ALL, and so has Gate, whose paths are no routes of the app. */
const routes = app.routes
  .filter(({ method }) => method !== "ALL")
  .map(({ method, path }) => `${method} ${path.replace(/:(\w+)/g, "{$1}")}`);
const sections = new Map(
  page.split(/^(?=#{2,3} )/m).map((section): [string, string] => [/^#+ (.*)/.exec(section)?.[1] ?? "", section]),
);

describe("docs/api.md", () => {
  it.each([...new Set(routes), "/llm/…"])("has a section with an example for %s", (route) => {
    expect(sections.get(route)).toMatch(/^```sh$[\s\S]+?^```http$/m);
  });

  it("has no section for a route that the app does not have", () => {
    const documented = [...sections.keys()].filter((title) => /^(?:GET|POST|PUT|PATCH|DELETE) \//.test(title));
    expect(documented.filter((title) => !routes.includes(title))).toEqual([]);
  });
});
