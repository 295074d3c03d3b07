// Runs before `npm start`, `npm test` and similar scripts: installs the packages if they are missing or out of date.
// Plain JavaScript that imports only Node's own modules and runs on any Node version: no package is installed yet.

import { spawnSync } from "node:child_process";
import { copyFileSync, existsSync, readFileSync } from "node:fs";

const [major] = process.versions.node.split(".").map(Number);
if (major < 20) {
  console.error(`Bursar needs Node 20 or newer; this is ${process.version}.`);
  process.exit(1);
}

// A copy of the lock file of the last install. If it equals package-lock.json, there is nothing to install.
const INSTALLED = "node_modules/.installed-lock.json";
const isCurrent =
  existsSync(INSTALLED) && readFileSync(INSTALLED, "utf8") === readFileSync("package-lock.json", "utf8");

if (!isCurrent) {
  console.log("Installing the packages of package-lock.json (about a minute, once) …");
  const { status } = spawnSync("npm", ["ci", "--loglevel=error", "--no-audit", "--no-fund"], {
    stdio: "inherit",
    shell: process.platform === "win32",
  });
  if (status !== 0) {
    console.error("npm ci failed; see its error above.");
    process.exit(status ?? 1);
  }
  copyFileSync("package-lock.json", INSTALLED);
}
