// `npm run bench:resets`: the first of a month. Exits with 1 when a notice was lost or a block was told late in virtual
// time, and never because the machine is slow.

import { defineCommand, readCommandLine } from "../../cli/command-line.ts";
import { playMonth } from "./play.ts";

readCommandLine(
  defineCommand({
    name: "npm run bench:resets --",
    description: "Plays the notices of a month's first minute: 10,000 resets, 50 blocks, a Slack with a rate limit.",
    exitCodes: {
      0: "no notice was lost, and every block was told within a minute",
      1: "a notice was lost, or a block was told later",
    },
  }),
);

const begun = performance.now();
const played = await playMonth({ resets: 10_000, blocks: 50, random: Math.random });
console.table({ ...played, seconds: Math.round((performance.now() - begun) / 1_000) });
const isRight =
  played.lost === 0 && played.deadLetters === 0 && played.digests === 1 && played.slowestBlockSeconds <= 60;
process.exitCode = isRight ? 0 : 1;
