// The environment variables that make every part of the local stack listen on a free port.

const NAMES = ["PORT", "LITELLM_PORT", "INBOX_PORT", "POSTGRES_PORT", "NEON_PORT", "UPSTASH_PORT"];

export const ANY_PORTS: Readonly<Record<string, string>> = Object.fromEntries(NAMES.map((name) => [name, "0"]));
