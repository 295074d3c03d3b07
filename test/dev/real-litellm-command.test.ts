// `npm run test:litellm` on a machine that lacks what it needs, and the configuration that it gives to a proxy.

import { spawn } from "node:child_process";
import { chmodSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { parse } from "yaml";
import { configText } from "../../dev/real-litellm/config.ts";
import { installationOf } from "../../dev/real-litellm/versions.ts";

/** No such release: never installed on any machine. */
const VERSION = "0.0.1";

let programs: string;
beforeEach(() => {
  programs = mkdtempSync(join(tmpdir(), "bursar-programs-"));
});
afterEach(() => {
  for (const each of [programs, installationOf(VERSION).directory]) rmSync(each, { recursive: true, force: true });
});

/** A `python3` that is a shell script. */
function addPython(script: string): void {
  const path = join(programs, "python3");
  writeFileSync(path, `#!/bin/sh\n${script}\n`);
  chmodSync(path, 0o755);
}

async function testLitellm(...args: string[]) {
  const child = spawn(process.execPath, ["dev/real-litellm/run-tests.ts", ...args], {
    env: { ...process.env, PATH: `${programs}:/usr/sbin` },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const [code, out, err] = await Promise.all([exited, text(child.stdout), text(child.stderr)]);
  return { code, said: out + err };
}

describe("npm run test:litellm", () => {
  it("names Python and exits with 3 where there is none", async () => {
    const { code, said } = await testLitellm(VERSION);
    expect([code, said]).toEqual([3, expect.stringContaining("Python 3.10 is not installed on this machine")]);
    expect(said).toContain("apt-get install python3");
    expect(said).not.toContain("    at ");
  });

  it("names Python 3.10 and exits with 3 where Python is older", async () => {
    addPython("exit 1");
    const { code, said } = await testLitellm(VERSION);
    expect([code, said]).toEqual([3, expect.stringContaining("Python 3.10 is not installed on this machine")]);
  });

  it("names Python's venv module and exits with 3 where it is missing", async () => {
    addPython('[ "$1" = -c ]');
    const { code, said } = await testLitellm(VERSION);
    expect([code, said]).toEqual([3, expect.stringContaining("Python's venv module is not installed on this machine")]);
    expect(said).toContain("apt-get install python3-venv");
  });

  it("names PyPI and exits with 3 where pip cannot install", async () => {
    // As `python3 -m venv <directory>` does, with a Python whose pip finds no network.
    const made = '/bin/mkdir -p "$3/bin"; /bin/cp "$0" "$3/bin/python"';
    addPython(`case "$1$2" in -c*) exit 0;; -mvenv) ${made};; *) echo "no route to host" >&2; exit 1;; esac`);
    const { code, said } = await testLitellm(VERSION);
    expect([code, said]).toEqual([3, expect.stringContaining(`pip could not install LiteLLM ${VERSION} from PyPI`)]);
    expect(said).toContain("no route to host");
  });

  it.each([
    [["--only", "story"], "It is one of contract, product."],
    [["--everything"], "unknown option"],
  ])("exits with 2 for %j", async (args, words) => {
    const { code, said } = await testLitellm(...args);
    expect([code, said]).toEqual([2, expect.stringContaining(words)]);
  });

  it.each(["1.82.7", "latest"])("exits with 1 for %s, which must not or cannot be installed", async (version) => {
    const { code, said } = await testLitellm(version);
    expect([code, said]).toEqual([1, expect.stringContaining(`${version} is`)]);
    expect(said).not.toContain("    at ");
  });

  it("explains itself with --help", async () => {
    const { code, said } = await testLitellm("--help");
    expect([code, said]).toEqual([0, expect.stringContaining("--only <kind>")]);
  });
});

describe("the configuration of a real proxy", () => {
  it("holds the YAML of Bursar's setup page unchanged, below the models", () => {
    const pasted = "# notes\nlitellm_settings:\n  callbacks: [bursar]\nguardrails: [{guardrail_name: bursar}]\n";
    const { model_list: models, ...rest } = parse(configText({ pasted, providerUrl: "http://127.0.0.1:1" }));
    expect(rest).toEqual(parse(pasted));
    expect(models.map(({ model_name: name }: { model_name: string }) => name)).toEqual([
      "mock",
      "chat",
      "free",
      "embedding",
    ]);
  });

  it("reports nowhere and has only LiteLLM's own answers by default", () => {
    expect(Object.keys(parse(configText({})))).toEqual(["model_list"]);
    expect(parse(configText({})).model_list).toMatchObject([{ litellm_params: { mock_response: "hello" } }]);
  });
});
