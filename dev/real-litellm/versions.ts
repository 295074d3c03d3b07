// The LiteLLM versions that this project runs its contract tests on, and where each is installed.

import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The newest version, and the last one before budget reservations. */
export const TESTED_VERSIONS = ["1.110.2", "1.83.14"] as const;

/** One more of each generation that users have in production. */
export const ALL_VERSIONS = [...TESTED_VERSIONS, "1.108.14", "1.103.11", "1.81.9"] as const;

/** Releases on PyPI that contained malicious code. */
const COMPROMISED = ["1.82.7", "1.82.8", "1.107.0"];

export class VersionError extends Error {}

/** @throws VersionError for text that is no version, and for a release that must never be installed. */
export function checkVersion(version: string): void {
  if (!/^\d+\.\d+\.\d+(?:\.post\d+)?$/.test(version)) {
    throw new VersionError(`${version} is no version of LiteLLM, such as ${TESTED_VERSIONS[0]}`);
  }
  if (COMPROMISED.includes(version)) throw new VersionError(`LiteLLM ${version} is a compromised release`);
}

/** Git ignores this folder. Not in node_modules: `npm ci` would delete the installations. */
const CACHE = fileURLToPath(new URL("../../.wrangler", import.meta.url));

export interface Installation {
  readonly version: string;
  /** A Python environment of its own. */
  readonly directory: string;
  readonly python: string;
  readonly litellm: string;
  /** The program that prisma-client-py starts as its query engine. */
  readonly queryEngine: string;
  /** Holds a `prisma` that does nothing; comes first in LiteLLM's PATH. */
  readonly stubs: string;
}

export function installationOf(version: string): Installation {
  const directory = join(CACHE, `litellm-${version}`);
  const stubs = join(directory, "bursar");
  return {
    version,
    directory,
    stubs,
    python: join(directory, "bin", "python"),
    litellm: join(directory, "bin", "litellm"),
    queryEngine: join(stubs, "query-engine"),
  };
}

/** The file that pins every package of this version; null: pip resolves them. */
export function requirementsOf(version: string): string | null {
  const path = fileURLToPath(new URL(`requirements/${version}.txt`, import.meta.url));
  return existsSync(path) ? path : null;
}

/** The file that pins the SDKs which the tests use, and where they are installed. */
export const SDKS = fileURLToPath(new URL("requirements/sdks.txt", import.meta.url));
export const SDKS_DIRECTORY = join(CACHE, "litellm-sdks");
