// What Gate forwards to LiteLLM and what it drops: paths, keys, headers and queries, as an attacker would write them.

import { describe, expect, it } from "vitest";
import {
  headersBack,
  headersFor,
  isSpending,
  methodsOf,
  plainPath,
  queryFor,
} from "../../../src/http/agents/gate-request.ts";

/** Parses a URL, then a Gate path: returns the path that LiteLLM would see, or null. */
function passedOn(method: string, path: string): string | null {
  const plain = plainPath(new URL(`https://bursar.test${path}`).pathname);
  return plain !== null && methodsOf(plain).includes(method) ? plain : null;
}

describe("model paths", () => {
  it.each([
    ["POST", "/v1/chat/completions"],
    ["POST", "/chat/completions"],
    ["POST", "/v1/completions"],
    ["POST", "/v1/embeddings"],
    ["POST", "/v1/moderations"],
    ["POST", "/v1/images/generations"],
    ["POST", "/v1/images/edits"],
    ["POST", "/v1/audio/speech"],
    ["POST", "/v1/audio/transcriptions"],
    ["POST", "/v1/messages"],
    ["POST", "/v1/messages/count_tokens"],
    ["POST", "/v1/responses"],
    ["POST", "/v1/responses/resp_abc-1/cancel"],
    ["GET", "/v1/responses/resp_abc-1"],
    ["GET", "/v1/responses/resp_abc-1/input_items"],
    ["DELETE", "/v1/responses/resp_abc-1"],
    ["POST", "/rerank"],
    ["POST", "/v2/rerank"],
    ["GET", "/v1/models"],
    ["GET", "/models"],
    ["GET", "/v1/models/gpt-4o.mini"],
    ["POST", "/openai/deployments/gpt-4o/chat/completions"],
    ["POST", "/openai/deployments/azure/gpt-4o/chat/completions"],
    ["POST", "/openai/deployments/bedrock/us.anthropic.claude-v2:0/embeddings"],
    ["POST", "/openai/deployments/dall-e-3/images/generations"],
    ["POST", "/engines/groq/openai/gpt-oss-20b/completions"],
    ["POST", "/v1beta/models/gemini/gemini-2.0-flash:generateContent"],
    ["POST", "/models/vertex_ai/gemini-2.0-flash:countTokens"],
    ["GET", "/v1/models/azure/gpt-4o"],
    ["HEAD", "/v1/models"],
    ["HEAD", "/v1/responses/resp_abc-1"],
    ["POST", "/v1/responses/input_tokens"],
    ["POST", "/openai/v1/responses"],
    ["GET", "/openai/v1/responses/resp_abc-1"],
    ["POST", "/v1/ocr"],
    ["POST", "/v1/search/perplexity"],
    ["POST", "/v1/videos"],
    ["GET", "/v1/videos/video_1/content"],
    ["POST", "/v1beta/interactions"],
    ["DELETE", "/v1beta/interactions/int_1"],
    ["POST", "/utils/token_counter"],
    ["POST", "/engines/gpt-4o/embeddings"],
    ["POST", "/v1beta/models/gemini-2.5-pro:streamGenerateContent"],
  ])("%s %s", (method, path) => {
    expect(passedOn(method, `/llm${path}`)).toBe(path);
  });

  it.each([
    ["a slash at its end", "/llm/v1/models/"],
    ["empty segments", "//llm//v1///models"],
    ["encoded letters", "/llm/v1/%6dodels"],
    ["encoded slashes", "/llm/v1%2Fmodels"],
    ["detours", "/llm/v1/../v1/./models"],
  ])("forwards the plain form of a path written with %s", (_, path) => {
    expect(passedOn("GET", path)).toBe("/v1/models");
  });
});

describe("what spends", () => {
  it.each([
    "/v1/chat/completions",
    "/v1/messages",
    "/v1/responses",
    "/v1/responses/compact",
    "/v1/embeddings",
    "/v1/moderations",
    "/v1/ocr",
    "/v1/search/perplexity",
    "/v1/videos",
    "/v1/videos/video_1/remix",
    "/v1/audio/speech",
    "/rerank",
    "/openai/v1/responses",
    "/openai/deployments/azure/gpt-4o/chat/completions",
    "/engines/gpt-4o/embeddings",
    "/v1beta/models/gemini-2.5-pro:generateContent",
    "/v1beta/models/gemini-2.5-pro:streamGenerateContent",
    "/v1beta/interactions",
  ])("includes %s, by POST only", (path) => {
    expect([isSpending(path), methodsOf(path)]).toEqual([true, ["POST"]]);
  });

  it.each([
    ["/v1/responses/resp_1/cancel", ["POST"]],
    ["/openai/v1/responses/resp_1/cancel", ["POST"]],
    ["/v1beta/interactions/int_1/cancel", ["POST"]],
    ["/v1/messages/count_tokens", ["POST"]],
    ["/v1/responses/input_tokens", ["POST", "GET", "HEAD", "DELETE"]],
    ["/utils/token_counter", ["POST"]],
    ["/v1beta/models/gemini-2.5-pro:countTokens", ["POST"]],
    ["/v1/models", ["GET", "HEAD"]],
    ["/v1/responses/resp_1", ["GET", "HEAD", "DELETE"]],
    ["/v1/responses/resp_1/input_items", ["GET", "HEAD"]],
    ["/v1/videos/video_1/content", ["GET", "HEAD"]],
    ["/v1beta/interactions/int_1", ["GET", "HEAD", "DELETE"]],
  ])("does not include %s", (path, methods) => {
    expect([isSpending(path), methodsOf(path)]).toEqual([false, methods]);
  });
});

describe("other paths", () => {
  const MANAGED = [
    "key/info",
    "key/generate",
    "team/new",
    "budget/update",
    "user/info",
    "global/spend",
    "config/update",
  ];
  it.each([
    ...MANAGED.flatMap((path) => [`/llm/${path}`, `/llm/v1/${path}`]),
    "/llm",
    "/llm/",
    "/llm/spend/logs",
    "/llm/model/new",
    "/llm/v1/model/info",
    "/llm/v1/files",
    "/llm/v1/batches",
    "/llm/v1/fine_tuning/jobs",
    "/llm/v1/assistants",
    "/llm/v1/threads",
    "/llm/v1/vector_stores",
    "/llm/v1/realtime",
    "/llm/mcp/",
    "/llm/health",
    "/llm/openai/v1/organization/users",
    "/llm/anthropic/v1/messages",
    "/llm/v1/chat/completions/../../../key/info",
    "/llm/v1/chat/completions/..%2f..%2f..%2fkey/info",
    "/llm/v1/chat/completions/%2e%2e/%2e%2e/%2e%2e/key/info",
    "/llm/v1/models/..%2f..%2fkey%2finfo",
    "/llm/v1/models/%252e%252e%252fkey",
    "/llm/v1/models/..;/key/info",
    "/llm/v1/models;/../key/info",
    "/llm/v1/models/a;b",
    "/llm/v1/models%3fx",
    "/llm/v1/models%23x",
    "/llm/v1/models%00",
    "/llm/v1/models%0a",
    "/llm/v1/models/a%5cb",
    "/llm/v1\\key\\info",
    "/llm/V1/Models",
    "/llm/v1/modelsx",
    "/llm/v1/models/azure/../gpt-4o/../../key/info",
    "/llm/v1/models/azure%2f..%2f..%2fkey%2finfo",
    "/llm/v1/models/azure/.hidden",
    "/llm/v1/models/azure/...",
    "/llm/v1/models/azure/%2e%2e%2fkey",
    "/llm/v1/models/azure%5c..%5ckey",
    "/llm/v1/models/azure/gpt-4o%20",
    "/llm/openai/deployments/azure/..%2f..%2f..%2fkey/chat/completions",
    "/llm/openai/deployments/azure/gpt-4o/chat/completions/key/info",
    "/llm/openai/deployments/azure/gpt-4o",
    "/llm/openai/deployments/gpt-4o/audio/speech",
    "/llm/openai/deployments/gpt-4o/images/variations",
    "/llm/openai/v1/chat/completions",
    "/llm/openai/v1/files",
    "/llm/openai/v1/responses/a/input_tokens",
    "/llm/engines/../../key/info",
    "/llm/engines/gpt-4o/moderations",
    "/llm/v1beta/models/gemini/..%2f..%2f..%2fkey:generateContent",
    "/llm/v1beta/models/gemini/flash:generateContent/key",
    "/llm/v1beta/models/gemini/flash:batchGenerateContent",
    "/llm/v1beta/models/:generateContent",
    "/llm/v1beta/models/gemini%0a/x:generateContent",
    "/llm/v1/videos/..%2fkey/content",
    "/llm/v1/skills",
    "/llm/v1/containers",
    "/llm/v1/agents",
    "/llm/utils/transform_request",
    "/llm/x/v1/models",
    "/llm/v1/models/%ff",
    "/llm/openai/deployments/../key/info",
    "/llm/openai/deployments/x/key/info",
    "/llm/%2e%2e/key/info",
  ])("%s", (path) => {
    for (const method of ["GET", "HEAD", "POST", "DELETE", "PUT", "PATCH"]) expect(passedOn(method, path)).toBeNull();
  });

  it.each([
    ["GET", "/llm/v1/chat/completions"],
    ["POST", "/llm/v1/models"],
    ["DELETE", "/llm/v1/models/gpt-4o"],
    ["PUT", "/llm/v1/embeddings"],
    ["HEAD", "/llm/v1/embeddings"],
    ["POST", "/llm/openai/v1/responses/input_tokens"],
    ["GET", "/llm/v1/videos"],
    ["GET", "/llm/openai/deployments/azure/gpt-4o/chat/completions"],
  ])("%s %s", (method, path) => {
    expect(passedOn(method, path)).toBeNull();
  });
});

describe("the headers of a call", () => {
  const sent = (headers: Record<string, string>) => headersFor("sk-1", "request-1", new Headers(headers));

  it("forwards exactly one key, in one header", () => {
    const names = ["x-litellm-api-key", "api-key", "x-api-key", "x-goog-api-key", "ocp-apim-subscription-key"];
    const headers = sent({
      ...Object.fromEntries(names.map((name) => [name, "another"])),
      authorization: "Bearer sk-other",
      "x-my-litellm-key": "Bearer sk-other",
      "sec-websocket-protocol": "realtime, openai-insecure-api-key.sk-other",
      cookie: "token=sk-other",
    });
    expect([...headers]).toEqual([
      ["authorization", "Bearer sk-1"],
      ["x-request-id", "request-1"],
    ]);
  });

  it.each([
    ["cf-connecting-ip", "203.0.113.1"],
    ["cf-ray", "1"],
    ["x-forwarded-for", "203.0.113.1"],
    ["x-forwarded-host", "litellm.internal"],
    ["forwarded", "for=203.0.113.1"],
    ["x-real-ip", "203.0.113.1"],
    ["proxy-authorization", "Basic abc"],
    ["te", "trailers"],
    ["accept-encoding", "gzip"],
    ["origin", "https://app.example.com"],
    ["x-litellm-disable-callbacks", "generic_api"],
  ])("drops %s", (name, value) => {
    expect(sent({ [name]: value }).has(name)).toBe(false);
  });

  it.each([
    ["content-type", "multipart/form-data; boundary=risk-1"],
    ["accept", "text/event-stream"],
    ["anthropic-version", "2023-06-01"],
    ["openai-beta", "assistants=v2"],
    ["x-stainless-lang", "js"],
    ["x-litellm-tags", "task-1,desk-2"],
    ["traceparent", "00-1-2-01"],
  ])("forwards %s", (name, value) => {
    expect(sent({ [name]: value }).get(name)).toBe(value);
  });
});

it.each([
  ["", ""],
  ["?api-version=2026-01-01", "?api-version=2026-01-01"],
  ["?key=sk-1&alt=sse", "?alt=sse"],
  ["?%6bey=sk-1", ""],
  ["?other=sk-1&after=task-1", "?after=task-1"],
])("forwards the query %j as %j", (query, expected) => {
  expect(queryFor(new URL(`https://bursar.test/llm${query}`).searchParams)).toBe(expected);
});

it("drops hop-by-hop and platform headers from LiteLLM's answer", () => {
  const headers = headersBack(
    new Headers({
      "content-type": "application/json",
      "x-litellm-call-id": "1",
      "x-litellm-response-cost": "0.3",
      "x-ratelimit-remaining-requests": "9",
      "retry-after": "7",
      "x-litellm-model-api-base": "https://secret.openai.azure.com",
      "llm_provider-openai-organization": "platform",
      "content-encoding": "gzip",
      "content-length": "3",
      connection: "keep-alive",
      server: "uvicorn",
      vary: "Origin",
      "access-control-allow-origin": "*",
      "access-control-allow-credentials": "true",
      "set-cookie": "a=b",
      "x-request-id": "theirs",
    }),
  );
  expect([...headers.keys()]).toEqual([
    "content-type",
    "retry-after",
    "x-litellm-call-id",
    "x-litellm-response-cost",
    "x-ratelimit-remaining-requests",
  ]);
});
