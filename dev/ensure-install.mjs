// Runs before `npm start`, `npm test` and similar scripts: installs the packages if they are missing or out of date.
// Plain JavaScript that imports only Node's own modules and runs on any Node version: no package is installed yet.

import { spawnSync } from "node:child_process";
import { existsSync, readFileSync } from "node:fs";

const [major] = process.versions.node.split(".").map(Number);
if (major < 20) {
  console.error(`Bursar needs Node 20 or newer; this is ${process.version}.`);
  process.exit(1);
}

// npm's own list of what it has installed, which `npm ci` and `npm install` write when all is there.
const INSTALLED = "node_modules/.package-lock.json";

const packagesOf = (file) => JSON.parse(readFileSync(file, "utf8")).packages;

/** Optional packages are for one kind of machine each. */
function isCurrent() {
  if (!existsSync(INSTALLED)) return false;
  const installed = packagesOf(INSTALLED);
  return Object.entries(packagesOf("package-lock.json")).every(([path, { version, optional }]) => {
    if (path === "") return true;
    return installed[path] === undefined ? optional === true : installed[path].version === version;
  });
}

if (!isCurrent()) {
  console.log("Installing the packages of package-lock.json (about a minute, once) …");
  const { status } = spawnSync("npm", ["ci", "--loglevel=error", "--no-audit", "--no-fund"], {
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (status !== 0) {
    console.error("npm ci failed; see its error above.");
    process.exit(status ?? 1);
  }
}
