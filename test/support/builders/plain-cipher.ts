// A cipher that leaves texts readable, for tests that look at them or do not care.

import type { Cipher } from "../../../src/ports/ports.ts";

export const plainCipher: Cipher = {
  encrypt: async (text) => text,
  decrypt: async (text) => text,
  sign: async (text) => `signed:${text}`,
  verify: async (text, signature) => signature === `signed:${text}`,
};
