// Installs one version of LiteLLM from PyPI into an environment of its own, once. LiteLLM itself stays unmodified:
// only its database client, prisma-client-py, is told to use the query engine of this folder.

import { spawnSync } from "node:child_process";
import { chmodSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { ServiceMissingError } from "../services/process.ts";
import { generateClient } from "./prisma-client.ts";
import { type Installation, installationOf, requirementsOf, SDKS, SDKS_DIRECTORY } from "./versions.ts";

/** The version whose protocol the query engine speaks. */
const PRISMA_CLIENT = "prisma==0.15.0";

const SHOWN_LINES_OF_PIP = 5;

/** pip failed. The usual reasons: no access to PyPI, or a version that does not exist. */
export class InstallationError extends Error {}

/**
 * Returns at once when this version is installed. `say` receives one line per step.
 * @throws ServiceMissingError when Python is missing, InstallationError when pip fails.
 */
export async function install(version: string, say: (line: string) => void): Promise<Installation> {
  const installation = installationOf(version);
  const marker = join(installation.directory, "bursar-ready");
  if (!existsSync(marker)) {
    say(`Installing LiteLLM ${version} into ${installation.directory} (about 500 MB, some minutes) …`);
    createEnvironment(installation);
    installPackages(installation.python, `LiteLLM ${version}`, packagesOf(version));
  }
  // The paths of Node and of this folder may have changed since.
  writePrograms(installation);
  if (!existsSync(marker)) {
    await generateClient(installation, await schemaPathOf(installation));
    writeFileSync(marker, `LiteLLM ${version}\n`);
  }
  return installation;
}

/** LiteLLM's Prisma schema, in the package that is installed. */
export async function schemaPathOf({ python }: Installation): Promise<string> {
  const code = "import importlib.util as u; print(u.find_spec('litellm').submodule_search_locations[0])";
  const { status, stdout } = spawnSync(python, ["-c", code], { encoding: "utf8" });
  if (status !== 0) throw new InstallationError(`${python} does not find LiteLLM`);
  return join(stdout.trim(), "proxy", "schema.prisma");
}

/**
 * OpenAI's and Anthropic's Python SDKs, in an environment of their own. Returns its Python.
 * @throws ServiceMissingError when Python is missing, InstallationError when pip fails.
 */
export function installSdks(say: (line: string) => void): string {
  const python = join(SDKS_DIRECTORY, "bin", "python");
  const marker = join(SDKS_DIRECTORY, "bursar-ready");
  const pinned = readFileSync(SDKS, "utf8");
  if (existsSync(marker) && readFileSync(marker, "utf8") === pinned) return python;
  say(`Installing the SDKs of OpenAI and Anthropic into ${SDKS_DIRECTORY} …`);
  createEnvironment({ directory: SDKS_DIRECTORY, python });
  installPackages(python, "the SDKs", ["-r", SDKS]);
  writeFileSync(marker, pinned);
  return python;
}

function createEnvironment({ directory, python }: Pick<Installation, "directory" | "python">): void {
  checkPython();
  if (existsSync(python)) return;
  const { status } = spawnSync("python3", ["-m", "venv", directory], { stdio: "ignore" });
  if (status === 0) return;
  rmSync(directory, { recursive: true, force: true });
  throw new ServiceMissingError("Python's venv module", "apt-get install python3-venv");
}

/** @throws ServiceMissingError */
function checkPython(): void {
  const program = "import sys; sys.exit(0 if sys.version_info >= (3, 10) else 1)";
  const { error, status } = spawnSync("python3", ["-c", program]);
  if (error !== undefined || status !== 0) throw new ServiceMissingError("Python 3.10", "apt-get install python3");
}

function packagesOf(version: string): string[] {
  const pinned = requirementsOf(version);
  return pinned === null ? [`litellm[proxy]==${version}`, PRISMA_CLIENT] : ["-r", pinned];
}

function installPackages(python: string, what: string, packages: readonly string[]): void {
  const pip = ["-m", "pip", "install", "--quiet", "--disable-pip-version-check", ...packages];
  const { status, stderr } = spawnSync(python, pip, { encoding: "utf8", stdio: ["ignore", "ignore", "pipe"] });
  if (status === 0) return;
  const said = stderr.trim().split("\n").slice(-SHOWN_LINES_OF_PIP).join("\n");
  throw new InstallationError(`pip could not install ${what} from PyPI (is PyPI reachable?):\n${said}`);
}

const ENGINE = fileURLToPath(new URL("engine/serve.ts", import.meta.url));

/** The two programs that take the place of Prisma's own, which npm and PyPI do not have. */
function writePrograms({ stubs, queryEngine }: Installation): void {
  mkdirSync(stubs, { recursive: true });
  writeProgram(queryEngine, `exec "${process.execPath}" "${ENGINE}" "$@"`);
  // LiteLLM calls Prisma's command line while it starts. The tables exist by then, so there is nothing to migrate.
  writeProgram(join(stubs, "prisma"), "exit 0");
}

function writeProgram(path: string, command: string): void {
  writeFileSync(path, `#!/bin/sh\n${command}\n`);
  chmodSync(path, 0o755);
}
