// An empty PGlite cluster, created once and cached in a file: initdb in WebAssembly takes 5 s or more, loading it 1 s.
// Never contains Bursar's tables. There is one file per PGlite version, so an upgrade creates a new one.

import { existsSync, mkdirSync, openAsBlob, readFileSync, renameSync, writeFileSync } from "node:fs";
import { dirname } from "node:path";
import { fileURLToPath } from "node:url";
import { PGlite } from "@electric-sql/pglite";
import { z } from "zod";

const modules = new URL("../../node_modules/", import.meta.url);

export function hasEmptyCluster(): boolean {
  return existsSync(clusterFile());
}

/** The cluster as a tar file, for `PGlite.create({ loadDataDir })`. The first call on a machine creates it. */
export async function emptyCluster(): Promise<Blob> {
  const file = clusterFile();
  if (!existsSync(file)) await makeCluster(file);
  return openAsBlob(file);
}

async function makeCluster(file: string): Promise<void> {
  const db = await PGlite.create();
  const dump = await db.dumpDataDir("none");
  await db.close();
  mkdirSync(dirname(file), { recursive: true });
  // Several processes may create it at once: each writes its own file, and the last rename wins.
  const own = `${file}.${process.pid}`;
  writeFileSync(own, new Uint8Array(await dump.arrayBuffer()));
  renameSync(own, file);
}

function clusterFile(): string {
  const manifest = readFileSync(new URL("@electric-sql/pglite/package.json", modules), "utf8");
  const { version } = z.object({ version: z.string() }).parse(JSON.parse(manifest));
  return fileURLToPath(new URL(`.cache/bursar/pglite-${version}-empty.tar`, modules));
}
