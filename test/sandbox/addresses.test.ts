import { expect, test } from "vitest";
import { isInRange, parseAddressRange, privateKind } from "../../host/sandbox/addresses.ts";

test.each([
	["10.0.0.1", "private"],
	["172.15.255.255", undefined],
	["172.16.0.1", "private"],
	["172.31.255.255", "private"],
	["172.32.0.0", undefined],
	["192.168.1.1", "private"],
	["127.0.0.1", "loopback"],
	["127.255.255.255", "loopback"],
	["169.254.169.254", "link-local"],
	["100.64.0.1", "shared (carrier-grade NAT)"],
	["100.63.255.255", undefined],
	["100.128.0.0", undefined],
	["0.0.0.0", "unspecified"],
	["224.0.0.1", "multicast"],
	["255.255.255.255", "reserved"],
	["198.18.0.1", "reserved"],
	["93.184.216.34", undefined],
	["::", "unspecified"],
	["::1", "loopback"],
	["::2", "reserved"],
	["::127.0.0.1", "reserved"],
	["fc00::1", "private"],
	["fdff::1", "private"],
	["fe80::1", "link-local"],
	["fec0::1", "private"],
	["ff02::1", "multicast"],
	["::ffff:10.0.0.1", "private"],
	["::ffff:7f00:1", "loopback"],
	["::ffff:93.184.216.34", undefined],
	["64:ff9b::169.254.169.254", "link-local"],
	["64:ff9b::5db8:d822", undefined],
	["64:ff9b:1::1", "reserved"],
	["2002:7f00:1::", "tunnel"],
	["2001:0:4136:e378::", "tunnel"],
	["2606:2800::5efe:10.0.0.1", "tunnel"],
	["2606:2800::200:5efe:7f00:1", "tunnel"],
	["2606:2800::300:5efe:93.184.216.34", "tunnel"],
	["2606:2800::400:5efe:10.0.0.1", undefined],
	["fe80::5efe:10.0.0.1", "link-local"],
	["2001:db8::1", "reserved"],
	["2606:2800:220:1:248:1893:25c8:1946", undefined],
	["4000::1", "reserved"],
	["fe80::1%eth0", "malformed"],
	["2606::1%x", "malformed"],
	["example.com", "malformed"],
	["127.1", "malformed"],
	["", "malformed"],
])("the kind of %s is %s", (address, kind) => {
	expect(privateKind(address)).toBe(kind);
});

test.each([
	["10.0.0.0/8", "10.255.255.255", true],
	["10.0.0.0/8", "11.0.0.0", false],
	["10.0.0.0/9", "10.128.0.0", false],
	["127.0.0.1", "127.0.0.1", true],
	["127.0.0.1", "127.0.0.2", false],
	["0.0.0.0/0", "1.2.3.4", true],
	["127.0.0.1", "::ffff:127.0.0.1", true],
	["::1", "::1", true],
	["fd00::/8", "fdab::1", true],
	["fd00::/8", "fc00::1", false],
	["::/0", "1.2.3.4", false],
	["10.0.0.0/8", "2606:2800::5efe:10.0.0.1", false],
	["10.0.0.0/8", "not an address", false],
])("%s contains %s: %s", (range, address, expected) => {
	expect(isInRange(parseAddressRange(range) as never, address)).toBe(expected);
});

test.each(["10.0.0.0/33", "10.0.0/8", "10.0.0.0/", "10.0.0.0/08", "::/129", "example.com", "fe80::1%eth0", ""])(
	"%j is no range",
	(text) => {
		expect(parseAddressRange(text)).toBeUndefined();
	},
);
