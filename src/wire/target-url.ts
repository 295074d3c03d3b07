// Which URLs notices may go to: https, to a host on the public internet. Pure; resolves no name.
// It cannot see that a public name resolves to a private host; Cloudflare's network has no route to such a host.

import type { ChannelKind } from "../records/channel.ts";

/** Suffixes of local machines and networks. `home.arpa` and `internal` are reserved for that. */
const PRIVATE_SUFFIXES = ["localhost", "local", "internal", "home.arpa", "lan", "intranet", "corp", "home"];

/**
 * The hosts that take the messages of a kind of channel, with every name under them. Slack has none here, because other
 * products take its messages too.
 */
const PROVIDER_HOSTS: Partial<Readonly<Record<ChannelKind, readonly string[]>>> = {
  teams: ["logic.azure.com", "api.powerplatform.com"],
  discord: ["discord.com", "discordapp.com"],
};

/** Networks that are not on the public internet, as [address, prefix length]. */
const CLOSED_IPV4: readonly (readonly [string, number])[] = [
  ["0.0.0.0", 8],
  ["10.0.0.0", 8],
  ["100.64.0.0", 10],
  ["127.0.0.0", 8],
  ["169.254.0.0", 16],
  ["172.16.0.0", 12],
  ["192.0.0.0", 24],
  ["192.0.2.0", 24],
  ["192.88.99.0", 24],
  ["192.168.0.0", 16],
  ["198.18.0.0", 15],
  ["198.51.100.0", 24],
  ["203.0.113.0", 24],
  // Multicast, reserved and broadcast.
  ["224.0.0.0", 3],
];

/**
 * Why notices may not go to a target, in a text that does not contain it; null when they may.
 * `allowsLocal`: also allows plain http and private hosts, for a developer's machine.
 */
export function targetProblem(target: string, { allowsLocal }: { allowsLocal: boolean }): string | null {
  // The URL parser normalizes every form of an IPv4 address (hexadecimal, octal, one number).
  if (!URL.canParse(target)) return "is not a URL";
  const url = new URL(target);
  if (url.protocol !== "https:" && !(allowsLocal && url.protocol === "http:")) return "must begin with https://";
  if (url.username !== "" || url.password !== "") return "must not hold a user name or a password";
  if (url.port === "0") return "must not name port 0";
  return allowsLocal || isPublicHost(url.hostname) ? null : "must lead to a public host";
}

/** Why the messages of a kind of channel may not go to a target; null when they may. Any host will do locally. */
export function channelTargetProblem(
  target: string,
  kind: ChannelKind,
  policy: { allowsLocal: boolean },
): string | null {
  const problem = targetProblem(target, policy);
  const hosts = PROVIDER_HOSTS[kind];
  if (problem !== null || policy.allowsLocal || hosts === undefined) return problem;
  const { hostname } = new URL(target);
  const isKnown = hosts.some((host) => hostname === host || hostname.endsWith(`.${host}`));
  return isKnown ? null : `must lead to ${hosts.join(" or ")}`;
}

function isPublicHost(hostname: string): boolean {
  if (hostname.startsWith("[")) return isPublicIpv6(hostname.slice(1, -1));
  const ipv4 = ipv4Number(hostname);
  if (ipv4 !== null) return !CLOSED_IPV4.some(([network, length]) => isWithin(ipv4, network, length));
  const name = hostname.replace(/\.$/, "");
  return name.includes(".") && !PRIVATE_SUFFIXES.some((suffix) => name.endsWith(`.${suffix}`));
}

/** Only global unicast, 2000::/3, without the ranges that embed an IPv4 address or are for documentation. */
function isPublicIpv6(address: string): boolean {
  const [first = "", second = ""] = address.split(":");
  const [high, low] = [Number.parseInt(first || "0", 16), Number.parseInt(second || "0", 16)];
  if (high < 0x2000 || high > 0x3fff) return false;
  const isSetAside = high === 0x2001 && (low < 0x200 || low === 0xdb8);
  const isTunnel = high === 0x2002;
  const isDocumentation = high === 0x3fff && low < 0x1000;
  return !isSetAside && !isTunnel && !isDocumentation;
}

function ipv4Number(hostname: string): number | null {
  const parts = /^(\d+)\.(\d+)\.(\d+)\.(\d+)$/.exec(hostname)?.slice(1).map(Number);
  return parts === undefined ? null : parts.reduce((sum, part) => sum * 256 + part, 0);
}

function isWithin(address: number, network: string, length: number): boolean {
  const size = 2 ** (32 - length);
  return Math.floor(address / size) === Math.floor((ipv4Number(network) ?? 0) / size);
}
