// Which addresses notices may go to: https, on the open internet, by a name that DNS knows. Pure; resolves nothing.
// A public name that leads to a private host is not seen here: such a call ends at Cloudflare's edge, which has no way in.

/** Names that mean this machine or this network, whatever DNS says; `home.arpa` and `internal` are set aside for that. */
const PRIVATE_SUFFIXES = ["localhost", "local", "internal", "home.arpa", "lan", "intranet", "corp", "home"];

/** Networks that are nobody's on the open internet, as [address, prefix length]. */
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
 * What is wrong with a target, in words that do not hold it; null when notices may go there.
 * `allowsLocal`: plain http and private hosts are fine too, as on a developer's machine.
 */
export function targetProblem(target: string, { allowsLocal }: { allowsLocal: boolean }): string | null {
  // The parser writes every form of an IPv4 address (hexadecimal, octal, one number) in the usual one.
  if (!URL.canParse(target)) return "is not a URL";
  const url = new URL(target);
  if (url.protocol !== "https:" && !(allowsLocal && url.protocol === "http:")) return "must begin with https://";
  if (url.username !== "" || url.password !== "") return "must not hold a user name or a password";
  if (url.port === "0") return "must not name port 0";
  return allowsLocal || isPublicHost(url.hostname) ? null : "must lead to a public host";
}

function isPublicHost(hostname: string): boolean {
  if (hostname.startsWith("[")) return isPublicIpv6(hostname.slice(1, -1));
  const ipv4 = ipv4Number(hostname);
  if (ipv4 !== null) return !CLOSED_IPV4.some(([network, length]) => isWithin(ipv4, network, length));
  const name = hostname.replace(/\.$/, "");
  return name.includes(".") && !PRIVATE_SUFFIXES.some((suffix) => name.endsWith(`.${suffix}`));
}

/** Only what is handed out as global unicast, 2000::/3, without the parts that carry an IPv4 address or are examples. */
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
