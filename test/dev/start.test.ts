// `npm start` on taken ports and with invalid ports, and the commands that the documentation names.

import { spawn } from "node:child_process";
import { once } from "node:events";
import { readdirSync, readFileSync } from "node:fs";
import type { AddressInfo } from "node:net";
import { createServer } from "node:net";
import { expect, it } from "vitest";

const FREE = { PORT: "0", LITELLM_PORT: "0", INBOX_PORT: "0", POSTGRES_PORT: "0", NEON_PORT: "0", UPSTASH_PORT: "0" };

async function start(env: Record<string, string>): Promise<{ code: number; said: string }> {
  const child = spawn(process.execPath, ["dev/start.ts", "--no-story", "--exit"], {
    env: { ...process.env, ...FREE, ...env },
  });
  const said: string[] = [];
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk: Buffer) => said.push(chunk.toString()));
  const [code] = await once(child, "exit");
  return { code: Number(code), said: said.join("") };
}

// Only the first and the last part to start. test/stores/ports.test.ts shows that each part names its own port.
it.each(["POSTGRES_PORT", "PORT"])("ends with a message that names %s when its port is taken", async (variable) => {
  const taken = createServer().listen(0, "127.0.0.1");
  await once(taken, "listening");
  const { port } = taken.address() as AddressInfo;
  const { code, said } = await start({ [variable]: String(port) });
  taken.close();
  expect(code).toBe(1);
  expect(said).toContain(`port ${port} is taken; set ${variable} to another one`);
  expect(said).not.toContain("    at ");
});

it("refuses an invalid port by the name of its variable", async () => {
  const { code, said } = await start({ NEON_PORT: "many" });
  expect([code, said.includes("NEON_PORT=many is not a port")]).toEqual([1, true]);
});

it("M4: the runbook says how to migrate, verify and roll back, with commands that exist", () => {
  const runbook = readFileSync("docs/runbook.md", "utf8");
  const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };
  for (const heading of ["## Migrate", "## Verify", "## Roll back"]) expect(runbook).toContain(heading);
  for (const name of ["db:status", "db:migrate", "db:rollback"]) {
    expect(runbook).toContain(`npm run ${name}`);
    expect(scripts).toHaveProperty([name]);
  }
});

it.each([
  "README.md",
  "CHANGELOG.md",
  ...readdirSync("docs", { recursive: true, encoding: "utf8" })
    .filter((file) => file.endsWith(".md"))
    .map((file) => `docs/${file}`),
])("%s names only commands that exist", (file) => {
  const { scripts } = JSON.parse(readFileSync("package.json", "utf8")) as { scripts: Record<string, string> };
  const named = [...readFileSync(file, "utf8").matchAll(/npm run ([\w:]+)/g)].map(([, name]) => name ?? "");
  for (const name of named) expect(scripts).toHaveProperty([name]);
});
