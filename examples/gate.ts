// Gate: an agent whose base URL is Bursar, with OpenAI's SDK and no code of Bursar's.
// Set BURSAR_URL and LITELLM_VIRTUAL_KEY, then run: npx node examples/gate.ts

import OpenAI, { APIError } from "openai";

const { BURSAR_URL, LITELLM_VIRTUAL_KEY } = process.env;
const client = new OpenAI({ baseURL: `${BURSAR_URL}/llm/v1`, apiKey: LITELLM_VIRTUAL_KEY });

try {
  const messages = [{ role: "user" as const, content: "hello" }];
  const stream = await client.chat.completions.create({ model: "mock", messages, stream: true });
  for await (const chunk of stream) process.stdout.write(chunk.choices[0]?.delta.content ?? "");
} catch (error) {
  if (!(error instanceof APIError) || error.type !== "budget_exceeded") throw error;
  process.stderr.write(`${error.message}\n`); // the tenant, its spend and limit, and the remedy
  process.exitCode = 1;
}
