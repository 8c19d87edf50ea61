import { setTimeout as sleep } from "node:timers/promises";
import { expect, test } from "vitest";
import { defaultLimits } from "../../host/contract/limits.ts";
import { canonicalAddress, clientNetwork } from "../../host/http/client-address.ts";
import { AddressLimits } from "../../ssh-bridge/address-limits.ts";

test.each([
	["192.0.2.1", "192.0.2.1", "192.0.2.1"],
	["::ffff:192.0.2.1", "192.0.2.1", "192.0.2.1"],
	["::FFFF:c000:0201", "192.0.2.1", "192.0.2.1"],
	["::1", "::1", "0:0:0:0::/64"],
	["2001:DB8:0:1:2:3:4:5", "2001:db8:0:1:2:3:4:5", "2001:db8:0:1::/64"],
	["2001:db8:0:1::9", "2001:db8:0:1::9", "2001:db8:0:1::/64"],
	["2001:db8::", "2001:db8::", "2001:db8:0:0::/64"],
	["1::2:3:4:5", "1::2:3:4:5", "1:0:0:0::/64"],
	["fe80::1%eth0", "fe80::1", "fe80:0:0:0::/64"],
	["", "", ""],
])("the address %j is %j, of the client %j", (given, canonical, network) => {
	expect(canonicalAddress(given)).toBe(canonical);
	expect(clientNetwork(given)).toBe(network);
});

test("an attacker with many addresses takes a bounded number of places, and nobody's who has one", async () => {
	const addresses = new AddressLimits({ ...defaultLimits, maxAddressFailuresPerMinute: 60 });
	const known = addresses.of("192.0.2.1");
	known.connect();
	const attackers = Array.from({ length: 20_000 }, (_, index) => {
		const attacker = addresses.of(`2001:db8:${(index >> 8).toString(16)}:${(index & 255).toString(16)}::1`);
		attacker.connect();
		attacker.takeFailure();
		return attacker;
	});
	expect(addresses.size).toBe(10_000);
	expect(addresses.of("::ffff:192.0.2.1")).toBe(known);
	// All that have no place count as one, so that many addresses are no way around the limit.
	expect(addresses.of("2001:db8:ffff:1::1")).toBe(addresses.of("2001:db8:ffff:2::1"));
	expect(addresses.of("2001:db8:ffff:1::1").takeFailure()).toBeGreaterThan(0);
	for (const attacker of new Set(attackers)) attacker.disconnect();
	// What has nothing missing is forgotten, and what has a connection is not.
	let newcomers = 0;
	await expect
		.poll(
			() => {
				addresses.of(`198.51.100.${newcomers++ % 256}`);
				return addresses.size;
			},
			{ timeout: 20_000 },
		)
		.toBeLessThanOrEqual(257);
	expect(addresses.of("192.0.2.1")).toBe(known);
});

test("all addresses of one network of IPv6 are one client", () => {
	const addresses = new AddressLimits({ ...defaultLimits, maxAddressFailuresPerMinute: 1 });
	expect(addresses.of("2001:db8:1:2::3").takeFailure()).toBe(0);
	expect(addresses.of("2001:db8:1:2:ffff::4").takeFailure()).toBeGreaterThan(0);
	expect(addresses.of("2001:db8:1:3::3").takeFailure()).toBe(0);
});

test("failures come back over a minute", async () => {
	const usage = new AddressLimits({ ...defaultLimits, maxAddressFailuresPerMinute: 600 }).of("192.0.2.1");
	for (let index = 0; index < 600; index++) usage.takeFailure();
	const waitMs = usage.takeFailure();
	expect(waitMs).toBeGreaterThan(0);
	expect(waitMs).toBeLessThanOrEqual(120);
	await sleep(2 * waitMs);
	expect(usage.takeFailure()).toBe(0);
});
