// The URLs that notices may go to, and the many spellings of private addresses.

import { describe, expect, it } from "vitest";
import type { ChannelKind } from "../../src/records/channel.ts";
import { channelTargetProblem, targetProblem } from "../../src/wire/target-url.ts";

const strictly = (target: string) => targetProblem(target, { allowsLocal: false });
const locally = (target: string) => targetProblem(target, { allowsLocal: true });

describe("targets", () => {
  it.each([
    "https://hooks.slack.com/services/T0/B0/x",
    "https://example.com:8443/hook?x=1",
    "https://EXAMPLE.com./hook",
    "https://8.8.8.8/hook",
    "https://100.63.255.255/",
    "https://100.128.0.1/",
    "https://172.15.0.1/",
    "https://172.32.0.1/",
    "https://[2606:4700::1111]/hook",
    "https://internal.example.com/",
    "https://localhost.example.com/",
    "https://my.locale/",
  ])("accepts the public URL %s", (target) => {
    expect(strictly(target)).toBeNull();
  });

  it.each([
    ["localhost", "https://localhost/"],
    ["localhost in capitals", "https://LOCALHOST/"],
    ["localhost with its dot", "https://localhost./"],
    ["a name under localhost", "https://api.localhost/"],
    ["a name under local", "https://printer.local/"],
    ["a name under internal", "https://metadata.google.internal/"],
    ["a name under internal with its dot", "https://metadata.google.internal./"],
    ["a name of one label", "https://redis/"],
    ["a name of one label, percent-encoded", "https://%72edis/"],
    ["loopback", "https://127.0.0.1/"],
    ["loopback as one decimal", "https://2130706433/"],
    ["loopback in hexadecimal", "https://0x7f000001/"],
    ["loopback in octal", "https://0177.0.0.1/"],
    ["loopback, shortened", "https://127.1/"],
    ["loopback in full-width digits", "https://１２７.0.0.1/"],
    ["loopback with a dot at its end", "https://127.0.0.1./"],
    ["this network", "https://0.0.0.0/"],
    ["10/8", "https://10.1.2.3/"],
    ["carrier-grade NAT", "https://100.64.0.1/"],
    ["link-local metadata", "https://169.254.169.254/latest/"],
    ["172.16/12", "https://172.31.255.255/"],
    ["192.168/16", "https://192.168.0.1/"],
    ["benchmarks", "https://198.19.0.1/"],
    ["multicast", "https://224.0.0.1/"],
    ["broadcast", "https://255.255.255.255/"],
    ["IPv6 loopback", "https://[::1]/"],
    ["IPv6 unspecified", "https://[::]/"],
    ["IPv6 mapped IPv4", "https://[::ffff:127.0.0.1]/"],
    ["IPv6 mapped IPv4 in hexadecimal", "https://[::ffff:7f00:1]/"],
    ["IPv6 compatible IPv4", "https://[::127.0.0.1]/"],
    ["IPv6 unique local", "https://[fd00::1]/"],
    ["IPv6 link-local", "https://[fe80::1]/"],
    ["IPv6 multicast", "https://[ff02::1]/"],
    ["NAT64", "https://[64:ff9b::7f00:1]/"],
    ["6to4", "https://[2002:7f00:1::]/"],
    ["Teredo", "https://[2001:0:4136:e378:8000:63bf:3fff:fdd2]/"],
    ["IPv6 documentation", "https://[2001:db8::1]/"],
  ])("refuses the private host %s", (_, target) => {
    expect(strictly(target)).toBe("must lead to a public host");
    expect(locally(target)).toBeNull();
  });

  it.each([
    "http://example.com/",
    "ftp://example.com/",
    "javascript:alert(1)",
    "data:text/plain,x",
    "file:///etc/passwd",
  ])("refuses %s without https", (target) => {
    expect(strictly(target)).toBe("must begin with https://");
  });

  it("accepts plain http only on a developer's machine, other schemes nowhere", () => {
    expect(locally("http://127.0.0.1:8025/slack/x")).toBeNull();
    expect(locally("ftp://127.0.0.1/")).toBe("must begin with https://");
  });

  it.each(["", "not a url", "https://", "https://[fe80::1%25eth0]/", "https://[fe80::1%eth0]/", "//example.com/"])(
    "refuses %j as a URL",
    (target) => {
      expect(strictly(target)).toBe("is not a URL");
    },
  );

  it("refuses credentials in a URL without repeating them", () => {
    for (const check of [strictly, locally]) {
      const problem = check("https://user:hunter2@example.com/");
      expect(problem).toBe("must not hold a user name or a password");
    }
    expect(strictly("https://example.com@127.0.0.1/")).toBe("must not hold a user name or a password");
  });

  it("refuses port 0", () => {
    expect(strictly("https://example.com:0/")).toBe("must not name port 0");
  });
});

describe("the targets of a kind of channel", () => {
  const problem = (target: string, kind: ChannelKind) => channelTargetProblem(target, kind, { allowsLocal: false });

  it.each([
    ["teams", "https://prod-7.westeurope.logic.azure.com:443/workflows/x/triggers/manual/paths/invoke?sig=x"],
    ["teams", "https://default1.0a.environment.api.powerplatform.com/powerautomate/automations/x"],
    ["discord", "https://discord.com/api/webhooks/1/x"],
    ["discord", "https://ptb.discord.com/api/webhooks/1/x"],
    ["slack", "https://mattermost.example.com/hooks/x"],
    ["webhook", "https://example.com/x"],
  ] as const)("accepts for %s the URL %s", (kind, target) => {
    expect(problem(target, kind)).toBeNull();
  });

  it.each([
    ["teams", "https://logic.azure.com.evil.example/x", "must lead to logic.azure.com or api.powerplatform.com"],
    ["discord", "https://evildiscord.com/api/webhooks/1/x", "must lead to discord.com or discordapp.com"],
    ["discord", "http://discord.com/api/webhooks/1/x", "must begin with https://"],
  ] as const)("refuses for %s the URL %s", (kind, target, message) => {
    expect(problem(target, kind)).toBe(message);
  });

  it("may have any host on a developer's machine", () => {
    expect(channelTargetProblem("http://127.0.0.1:8025/teams/x", "teams", { allowsLocal: true })).toBeNull();
  });
});
