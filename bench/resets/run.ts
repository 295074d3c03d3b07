// `npm run bench:resets`: the first of a month with 10,000 tenants, of which 50 are really blocked.

import { playMonth } from "./play.ts";

const begun = performance.now();
const played = await playMonth({ resets: 10_000, blocks: 50, random: Math.random });
console.table({ ...played, seconds: Math.round((performance.now() - begun) / 1_000) });
const isRight =
  played.lost === 0 && played.deadLetters === 0 && played.digests === 1 && played.slowestBlockSeconds <= 60;
process.exitCode = isRight ? 0 : 1;
