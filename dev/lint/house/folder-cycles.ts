// The folders of src/ must not import in a circle. Biome's noImportCycles checks the same between files.

import { posix } from "node:path";
import { parseSync } from "oxc-parser";
import { type Files, type Finding, isCode, lineAt, type Repository } from "./repository.ts";

/** The children of these folders must not import in a circle. A file directly in one of them counts as a child. */
const PARENTS = ["src", "src/flows", "src/http", "src/adapters/postgres", "src/notices"];

interface Import {
  readonly path: string;
  readonly line: number;
  readonly target: string;
}

type Graph = ReadonlyMap<string, ReadonlyMap<string, Import>>;

export function folderCycles({ files }: Repository): Finding[] {
  const imports = importsOf(files);
  return PARENTS.flatMap((parent) => cyclesOf(graphOf(parent, imports)).map(toFinding));
}

/** Every relative import and re-export in src/, including type-only ones. */
function importsOf(files: Files): Import[] {
  return [...files].flatMap(([path, text]) => {
    if (!path.startsWith("src/") || !isCode(path)) return [];
    const { staticImports, staticExports, dynamicImports } = parseSync(path, text).module;
    const named = [...staticImports, ...staticExports.flatMap(({ entries }) => entries)];
    return [...named, ...dynamicImports].flatMap(({ moduleRequest }) => {
      const from = moduleRequest && text.slice(moduleRequest.start + 1, moduleRequest.end - 1);
      if (!from?.startsWith(".")) return [];
      return [{ path, line: lineAt(text, moduleRequest?.start ?? 0), target: posix.join(posix.dirname(path), from) }];
    });
  });
}

function graphOf(parent: string, imports: readonly Import[]): Graph {
  const graph = new Map<string, Map<string, Import>>();
  const childOf = (path: string) =>
    path.startsWith(`${parent}/`) ? `${parent}/${path.slice(parent.length + 1).split("/")[0]}` : null;
  for (const each of imports) {
    const [from, to] = [childOf(each.path), childOf(each.target)];
    if (from === null || to === null || from === to) continue;
    const edges = graph.get(from) ?? new Map<string, Import>();
    graph.set(from, edges);
    if (!edges.has(to)) edges.set(to, each);
  }
  return graph;
}

/** The shortest cycle through each node, each cycle once. */
function cyclesOf(graph: Graph): Import[][] {
  const cycles = new Map<string, Import[]>();
  for (const start of [...graph.keys()].sort()) {
    const cycle = shortestCycleFrom(graph, start);
    const key = cycle?.map(({ path, line }) => `${path}:${line}`).sort();
    if (cycle && key && !cycles.has(key.join())) cycles.set(key.join(), cycle);
  }
  return [...cycles.values()];
}

function shortestCycleFrom(graph: Graph, start: string): Import[] | null {
  const paths = new Map<string, Import[]>([[start, []]]);
  // Iterating over a Map includes entries added meanwhile, so `paths` is also the queue of this breadth-first search.
  for (const [node, path] of paths) {
    for (const [next, edge] of graph.get(node) ?? []) {
      if (next === start) return [...path, edge];
      if (!paths.has(next)) paths.set(next, [...path, edge]);
    }
  }
  return null;
}

function toFinding(cycle: readonly Import[]): Finding {
  const edges = cycle.map(({ path, line, target }) => `${path}:${line} imports ${target}`);
  return {
    path: cycle[0]?.path ?? "",
    line: cycle[0]?.line ?? 1,
    message: `the folders import in a circle: ${edges.join("; ")}`,
  };
}
