// Each rule of `npm run check:house`, on a repository that breaks it and on one that keeps it.

import { describe, expect, it } from "vitest";
import { bannedWords } from "../../dev/lint/house/banned-words.ts";
import { filePointers } from "../../dev/lint/house/file-pointers.ts";
import { folderCycles } from "../../dev/lint/house/folder-cycles.ts";
import { npmScripts, pageLinks } from "../../dev/lint/house/pages.ts";
import { type Rule, repositoryOf } from "../../dev/lint/house/repository.ts";
import { commentWidths, fileLengths, folderSizes } from "../../dev/lint/house/sizes.ts";
import { testTitles } from "../../dev/lint/house/test-titles.ts";

/** What a rule finds, as `path:line message`. */
function findings(rule: Rule, files: Record<string, string>): string[] {
  return rule(repositoryOf(new Map(Object.entries(files)))).map(
    ({ path, line, message }) => `${path}:${line} ${message}`,
  );
}

const manyFiles = (folder: string, count: number) =>
  Object.fromEntries(Array.from({ length: count }, (_, index) => [`${folder}/file-${index}.ts`, ""]));

describe("folder-cycle", () => {
  it("finds two folders that import each other, with an import for each edge", () => {
    expect(
      findings(folderCycles, {
        "src/queue/a.ts": '// first\nimport { b } from "../wire/b.ts";',
        "src/wire/b.ts": "",
        "src/wire/c.ts": 'export { d } from "../queue/d.ts";',
        "src/queue/d.ts": "",
      }),
    ).toEqual([
      "src/queue/a.ts:2 the folders import in a circle: src/queue/a.ts:2 imports src/wire/b.ts; src/wire/c.ts:1 imports src/queue/d.ts",
    ]);
  });

  it.each(["import type { D }", "import { type D }", "import"])("finds the cycle that `%s … from` closes", (head) => {
    const statement = head === "import" ? 'import "../queue/d.ts";' : `${head} from "../queue/d.ts";`;
    expect(
      findings(folderCycles, { "src/queue/a.ts": 'import { b } from "../wire/b.ts";', "src/wire/c.ts": statement }),
    ).toHaveLength(1);
  });

  it("finds the cycle that a dynamic import closes", () => {
    const files = { "src/queue/a.ts": 'await import("../wire/b.ts");', "src/wire/b.ts": 'import "../queue/d.ts";' };
    expect(findings(folderCycles, files)).toHaveLength(1);
  });

  it("finds a cycle through three folders of src/flows", () => {
    expect(
      findings(folderCycles, {
        "src/flows/a/a.ts": 'import "../b/b.ts";',
        "src/flows/b/b.ts": 'import "../c/c.ts";',
        "src/flows/c/c.ts": 'import "../a/other.ts";',
      }),
    ).toHaveLength(1);
  });

  it("finds a cycle through a file that lies beside the folders", () => {
    const files = { "src/flows/waiting.ts": 'import "./a/a.ts";', "src/flows/a/b.ts": 'import "../waiting.ts";' };
    expect(findings(folderCycles, files)).toHaveLength(1);
  });

  it("accepts files that all folders use or that use all folders", () => {
    expect(
      findings(folderCycles, {
        "src/worker.ts": 'import "./app.ts";\nimport "./queue/a.ts";',
        "src/app.ts": 'import "./flows/a/a.ts";\nimport type { Deps } from "./deps.ts";',
        "src/queue/a.ts": 'import "../deps.ts";',
        "src/flows/a/a.ts": 'import "../waiting.ts";\nimport "../b/b.ts";\nimport "../../wire/c.ts";\nimport "zod";',
        "src/flows/b/b.ts": 'import "../waiting.ts";',
      }),
    ).toEqual([]);
  });
});

describe("folder-size", () => {
  it("finds a folder of 13 files", () => {
    expect(findings(folderSizes, manyFiles("src/budget", 13))).toEqual(["src/budget:1 holds 13 files, 12 at most"]);
  });

  it("counts neither the files of sub-folders nor those of other roots", () => {
    const files = { ...manyFiles("src/budget", 12), ...manyFiles("src/budget/more", 12), ...manyFiles("docs", 13) };
    expect(findings(folderSizes, files)).toEqual([]);
  });
});

describe("file-length", () => {
  it.each(["src/a.ts", "cli/a.mjs", "dev/inbox/a.css", "test/a.test.ts"])("finds 301 lines in %s", (path) => {
    expect(findings(fileLengths, { [path]: "x\n".repeat(301) })).toEqual([`${path}:301 has 301 lines, 300 at most`]);
  });

  it("accepts 300 lines, and any number of lines of data", () => {
    const files = { "src/a.ts": "x\n".repeat(300), "test/litellm/captures/a.json": "1\n".repeat(999) };
    expect(findings(fileLengths, files)).toEqual([]);
  });
});

describe("test-title", () => {
  it.each([
    'it("TITLE", () => {});',
    'test("TITLE", () => {});',
    "it(`TITLE`, () => {});",
    'it.skipIf(isSlow)("TITLE", () => {});',
    'it.each([\n  ["a)(", 1],\n])("TITLE", () => {});',
  ])("finds a title that begins mid-sentence in %s", (call) => {
    for (const title of ["of a tenant", "By hand, later", "N6: whose key is gone", "X3, X4: with a key"]) {
      expect(findings(testTitles, { "test/a.test.ts": call.replace("TITLE", title) })).toEqual([
        expect.stringContaining(title),
      ]);
    }
  });

  it("says the line and the word", () => {
    expect(findings(testTitles, { "test/a.test.ts": '\nit("to be", () => {});' })).toEqual([
      'test/a.test.ts:2 a title begins with "to": to be',
    ]);
  });

  it("accepts whole sentences, and other strings", () => {
    const text = 'it("N6: isolates a tenant", () => expect("of"));\nit("forgets", run);\ndescribe("with a key", run);';
    expect(findings(testTitles, { "test/a.test.ts": `${text}\nedit("of a tenant");` })).toEqual([]);
  });
});

describe("file-pointer", () => {
  const there = { "src/flows/check/read-verdict.ts": "", "docs/adopt.md": "", "test/http/a.test.ts": "" };

  it.each([
    ["src/a.ts", "const a = 1; // as read-verdicts.ts does"],
    ["src/a.ts", "/**\n * See http/budget.ts.\n */"],
    ["src/a.ts", "// what src/flow/check holds"],
    ["wrangler.toml", 'name = "a" # see docs/adoption.md'],
    ["migrations/0001.sql", "-- as src/schema.ts says"],
    ["dev/lint/a.grit", "// as src/schema.ts says"],
    [".ci/run", "# as src/schema.ts says"],
    ["README.md", "The flows lie in `src/flow`."],
    ["docs/api.md", "`src/adapters/schema*.ts`"],
    ["docs/api.md", "```sh\nnode dev/gone.ts\n```"],
  ])("finds a pointer to nothing in %s: %s", (path, text) => {
    expect(findings(filePointers, { ...there, [path]: text })).toEqual([expect.stringContaining("there is no ")]);
  });

  it.each([
    ["a path from the root", "src/a.ts", "// see src/flows/check/read-verdict.ts, and docs/adopt.md."],
    ["a path from src/", "src/a.ts", "// see flows/check/read-verdict.ts"],
    ["a path from the file", "src/flows/a.ts", "// see ./check/read-verdict.ts"],
    ["the end of a path", "src/a.ts", "// see check/read-verdict.ts:12 and read-verdict.ts"],
    ["a folder", "README.md", "The tests lie in `test/http/`, the pages in docs/."],
    ["a pattern that matches", "README.md", "`src/flows/*/*.ts`, `test/{http,dev}/a.test.ts`"],
    ["an address", "README.md", "https://example.com/src/gone.ts"],
    ["what a build makes", "README.md", "`dist/worker.js`, `.wrangler/report.json`, node_modules/zod/index.js"],
    ["a name with a hole", "README.md", "`migrations/<name>.sql`"],
    ["an output", "README.md", "```\nsrc/gone.ts\n```"],
    ["code", "src/a.ts", 'import "./gone.ts"; const url = "http://a//gone.ts";'],
  ])("accepts %s", (_, path, text) => {
    expect(findings(filePointers, { ...there, [path]: text })).toEqual([]);
  });
});

describe("page-link", () => {
  const api = "# The API\n\n## Who may ask, and how\n\n## Errors\n\n## Errors\n";

  it.each(["[a](gone.md)", '<img src="img/gone.svg">', "[a]: gone.md", "[a](api.md#gone)", "[a](#gone)"])(
    "finds the dead end of %s",
    (link) => expect(findings(pageLinks, { "docs/a.md": `\n${link}`, "docs/api.md": api })).toHaveLength(1),
  );

  it.each([
    "[a](../README.md)",
    "[a](api.md#who-may-ask-and-how)",
    "[a](api.md#errors-1)",
    "[a](https://a.b/c#d)",
    "[a](.)",
  ])("follows %s", (link) =>
    expect(findings(pageLinks, { "README.md": "", "docs/a.md": link, "docs/api.md": api })).toEqual([]),
  );
});

describe("npm-script", () => {
  const manifest = { "package.json": '{ "scripts": { "check:house": "node a.ts" } }' };

  it.each(["README.md", "docs/a.md"])("finds a command in %s that package.json does not have", (path) => {
    const text = "Run it:\n```sh\nnpm run -s check:home\n```\n";
    expect(findings(npmScripts, { ...manifest, [path]: text })).toEqual([
      `${path}:3 package.json has no script check:home`,
    ]);
  });

  it("accepts a command that package.json has", () => {
    expect(findings(npmScripts, { ...manifest, "README.md": "`npm run check:house -- --all`" })).toEqual([]);
  });
});

describe("banned-word", () => {
  it.each([
    "src/a.ts",
    "cli/a.ts",
    "dev/a.ts",
    "bench/a.ts",
    "README.md",
    "CHANGELOG.md",
    "docs/a.md",
    "wrangler.toml",
  ])("finds one in %s", (path) => {
    expect(findings(bannedWords, { [path]: "\nWhoever asks" })).toEqual([`${path}:2 "Whoever" is a private word`]);
  });

  it("accepts longer words, any word elsewhere, and a word that a page quotes as code", () => {
    const files = { "src/a.ts": "wishful, insists", "test/a.ts": "nobody", "docs/a.md": "it was `the wish`" };
    expect(findings(bannedWords, files)).toEqual([]);
    expect(findings(bannedWords, { "src/a.ts": "`wish`" })).toHaveLength(1);
  });
});

describe("comment-width", () => {
  const wide = "x".repeat(120);

  it.each([`// ${wide}`, ` * ${wide}`, `/** ${wide} */`])("finds %s", (line) => {
    expect(findings(commentWidths, { "src/a.ts": `\n${line}` })).toEqual([
      `src/a.ts:2 has ${line.length} columns, 120 at most`,
    ]);
  });

  it("accepts wide code, and wide lines of pages", () => {
    expect(findings(commentWidths, { "src/a.ts": `const a = "${wide}";`, "docs/a.md": wide })).toEqual([]);
  });
});
