// Gate's streams on plain workerd, directly connected to a LiteLLM that this test plays: which bodies stream, which
// calls end with their caller, and the answers while LiteLLM is unreachable. The key is unmanaged, so Gate forwards it.

import { createServer, type IncomingMessage, request, type Server, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { afterAll, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { type Stack, startStack } from "../../dev/stack.ts";
import { startWorkerd, type Workerd } from "../../dev/worker/workerd.ts";
import { BUNDLE_DIR } from "./support/build.ts";
import { FREE_PORTS } from "./support/own-stack.ts";

let stack: Stack;
let workerd: Workerd;
let litellm: Server;
/** How LiteLLM handles the next call. */
let handle: (incoming: IncomingMessage, answer: ServerResponse) => void;

beforeAll(async () => {
  stack = await startStack(FREE_PORTS, {});
  litellm = createServer((incoming, answer) => handle(incoming, answer));
  await new Promise<void>((resolve) => litellm.listen(0, "127.0.0.1", resolve));
  const { port } = litellm.address() as AddressInfo;
  const { secrets, vars } = stack.environment;
  const environment = {
    secrets,
    vars: { ...vars, LITELLM_URL: `http://127.0.0.1:${port}`, CHECK_DEADLINE_MS: "5000" },
  };
  workerd = await startWorkerd({ bundleDir: BUNDLE_DIR, environment });
});
afterAll(async () => {
  await workerd.stop();
  litellm.closeAllConnections();
  litellm.close();
  await stack.stop();
});
beforeEach(() => {
  handle = (_, answer) => void answer.end();
});

const HEADERS = { authorization: "Bearer sk-nobodys", "content-type": "application/json" };

function chat(options: { signal?: AbortSignal; body?: string } = {}): Promise<Response> {
  const { signal, body = '{"stream":true}' } = options;
  return fetch(`${workerd.url}/llm/v1/chat/completions`, {
    method: "POST",
    headers: HEADERS,
    body,
    redirect: "manual",
    ...(signal && { signal }),
  });
}

const startEvents = (answer: ServerResponse) => {
  answer.writeHead(200, { "content-type": "text/event-stream; charset=utf-8", "x-litellm-key-spend": "1.5" });
  answer.write("data: one\n\n");
};

describe("an answer", () => {
  it("streams an answer chunk by chunk", async () => {
    let writer: ServerResponse | null = null;
    handle = (_, answer) => {
      writer = answer;
      startEvents(answer);
    };
    const response = await chat();
    expect(response.headers.get("content-type")).toBe("text/event-stream; charset=utf-8");
    expect(response.headers.get("x-litellm-key-spend")).toBe("1.5");
    const pieces = (response.body ?? new ReadableStream()).pipeThrough(new TextDecoderStream()).getReader();
    for (const piece of ["one", "two", "three"]) {
      expect(await pieces.read()).toEqual({ done: false, value: `data: ${piece}\n\n` });
      const next = { one: "two", two: "three" }[piece];
      if (next !== undefined) (writer as ServerResponse | null)?.write(`data: ${next}\n\n`);
    }
    (writer as ServerResponse | null)?.end();
    expect((await pieces.read()).done).toBe(true);
  });

  it("passes on a compressed answer so that it is readable", async () => {
    handle = (_, answer) => {
      answer.writeHead(200, { "content-type": "application/json", "content-encoding": "gzip" });
      answer.end(gzipSync('{"object":"list"}'));
    };
    expect(await (await chat()).json()).toEqual({ object: "list" });
  });

  it("passes on an error of another kind whole, however long it is", async () => {
    const message = "x".repeat(100_000);
    handle = (_, answer) => {
      answer.writeHead(429, { "content-type": "application/json", "retry-after": "7" });
      answer.end(JSON.stringify({ error: { message, type: "rate_limit_error" } }));
    };
    const response = await chat();
    expect([response.status, response.headers.get("retry-after")]).toEqual([429, "7"]);
    expect(((await response.json()) as { error: { message: string } }).error.message).toBe(message);
  });

  it("forwards a budget_exceeded of LiteLLM to an unmanaged key", async () => {
    const error = { message: "Budget has been exceeded!", type: "budget_exceeded", param: null, code: "400" };
    handle = (_, answer) => {
      answer.writeHead(400, { "content-type": "application/json" });
      answer.end(JSON.stringify({ error }));
    };
    const response = await chat();
    expect([response.status, await response.json()]).toEqual([400, { error }]);
  });
});

describe("a request", () => {
  it("streams a request to LiteLLM chunk by chunk", async () => {
    const arrived = Promise.withResolvers<string>();
    handle = (incoming, answer) => {
      incoming.once("data", (piece: Buffer) => arrived.resolve(piece.toString()));
      incoming.on("end", () => answer.end("{}"));
    };
    const answered = Promise.withResolvers<number | undefined>();
    const url = `${workerd.url}/llm/v1/audio/transcriptions`;
    const upload = request(url, { method: "POST", headers: HEADERS }, ({ statusCode }) => answered.resolve(statusCode));
    upload.write("first");
    expect(await arrived.promise).toBe("first");
    upload.end("second");
    expect(await answered.promise).toBe(200);
  });

  it("forwards GET without the body that an agent sends with it", async () => {
    handle = (incoming, answer) => answer.end(String(incoming.headers["content-length"] ?? "no body"));
    const answered = Promise.withResolvers<string>();
    const sent = request(`${workerd.url}/llm/v1/models`, { method: "GET", headers: HEADERS }, async (answer) =>
      answered.resolve(await text(answer)),
    );
    sent.end("{}");
    expect(await answered.promise).toBe("no body");
  });

  it("passes on a body of 20 MB", async () => {
    handle = (incoming, answer) => {
      let bytes = 0;
      incoming.on("data", (piece: Buffer) => {
        bytes += piece.length;
      });
      incoming.on("end", () => answer.end(String(bytes)));
    };
    const body = "x".repeat(20_000_000);
    expect(await (await chat({ body })).text()).toBe("20000000");
  });
});

describe("an agent that leaves", () => {
  /** Resolves when LiteLLM's side of the call is cut. */
  const cutAfter = (begin: (answer: ServerResponse) => void) =>
    new Promise<void>((resolve) => {
      handle = (_, answer) => {
        answer.on("close", () => resolve());
        begin(answer);
      };
    });

  it("ends the call to LiteLLM when the agent leaves in the middle of a stream", async () => {
    const cut = cutAfter((answer) => {
      startEvents(answer);
      const talking = setInterval(() => answer.write("data: more\n\n"), 20);
      answer.on("close", () => clearInterval(talking));
    });
    const leaving = new AbortController();
    const response = await chat({ signal: leaving.signal });
    await response.body?.getReader().read();
    leaving.abort();
    await cut;
  });

  it("ends the call to LiteLLM when the agent disconnects before the first byte", async () => {
    const cut = cutAfter(() => leave());
    const call = request(`${workerd.url}/llm/v1/chat/completions`, { method: "POST", headers: HEADERS });
    // A reset, which is what Cloudflare's edge passes on. workerd treats a half-closed connection as still listening.
    const leave = () => void call.socket?.resetAndDestroy();
    call.on("error", () => {});
    call.end("{}");
    await cut;
  });
});

describe("LiteLLM that cannot be reached", () => {
  const unavailable = { status: 503, error: { type: "api_error", code: "dependency-unavailable" } };
  const brokenOff = { status: 502, error: { type: "api_error", code: "call-broken-off" } };
  const answerOf = async () => {
    const response = await chat();
    return { ...((await response.json()) as object), status: response.status };
  };

  it("answers 502 when LiteLLM cuts the connection", async () => {
    let calls = 0;
    handle = (incoming) => {
      if (incoming.url?.includes("chat") === true) calls++;
      incoming.socket.destroy();
    };
    expect(await answerOf()).toMatchObject(brokenOff);
    expect(calls).toBe(1);
  });

  it.each([307, 521])("answers 503 when a proxy answers %i instead of LiteLLM", async (status) => {
    handle = (_, answer) => {
      answer.writeHead(status, { location: "http://127.0.0.1:1/v1/models" });
      answer.end();
    };
    expect(await answerOf()).toMatchObject(unavailable);
  });

  it("answers 502 when LiteLLM is stopped", async () => {
    litellm.closeAllConnections();
    await new Promise((resolve) => litellm.close(resolve));
    expect(await answerOf()).toMatchObject(brokenOff);
  });
});
