// The virtual key of the tests' agent, and the hash under which LiteLLM stores a key. For tests that run in Node.

import { createHash } from "node:crypto";
import type { KeyHash } from "../../../src/budget/tenant.ts";

export const VIRTUAL_KEY = "sk-virtual-key-of-the-test";

export const sha256 = (text: string) => createHash("sha256").update(text).digest("hex") as KeyHash;
