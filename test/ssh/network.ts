import { execFileSync, spawnSync } from "node:child_process";

/** A host of its own on the network of this machine: a network namespace, and a link to it. */
export interface TestNetwork extends Disposable {
	readonly namespace: string;
	/** Of the host there. */
	readonly address: string;
	/** Of this machine, as the host sees it. */
	readonly ownAddress: string;
	/** Cuts the link: whatever is sent is lost, and nobody is told. */
	cut(): void;
	restore(): void;
}

/** Why there can be none here; undefined when there can. */
export function networkObstacle(): string | undefined {
	if (process.platform !== "linux" || process.getuid?.() !== 0) return "network namespaces are made by root on Linux only";
	const name = `cronium-try-${process.pid}`;
	const tried = spawnSync("ip", ["netns", "add", name], { encoding: "utf8" });
	if (tried.status !== 0) {
		const reason = `network namespaces cannot be made: ${tried.error?.message ?? tried.stderr.trim()}`;
		if (process.env.CI) throw new Error(`This test must run here, but ${reason}.`);
		return reason;
	}
	ip("netns", "delete", name);
	return undefined;
}

/** Makes the namespace of one of up to 63 hosts of this process, with a pair of addresses out of those that are for benchmarks (RFC 2544). */
export function createNetwork(number: number): TestNetwork {
	const namespace = `cronium-${process.pid}-${number}`;
	const link = `cr${process.pid}-${number}`;
	const prefix = `198.${18 + (process.pid % 2)}.${(process.pid >> 1) % 256}`;
	const [ownAddress, address] = [`${prefix}.${number * 4 + 1}`, `${prefix}.${number * 4 + 2}`];
	ip("netns", "add", namespace);
	try {
		ip("link", "add", link, "type", "veth", "peer", "name", "eth0", "netns", namespace);
		ip("address", "add", `${ownAddress}/30`, "dev", link);
		ip("link", "set", link, "up");
		for (const device of ["lo", "eth0"]) ip("-n", namespace, "link", "set", device, "up");
		ip("-n", namespace, "address", "add", `${address}/30`, "dev", "eth0");
		ip("-n", namespace, "route", "add", "default", "via", ownAddress);
	} catch (error) {
		ip("netns", "delete", namespace);
		throw error;
	}
	return {
		namespace,
		address,
		ownAddress,
		cut: () => ip("link", "set", link, "down"),
		restore: () => ip("link", "set", link, "up"),
		[Symbol.dispose]() {
			spawnSync("ip", ["link", "delete", link]);
			ip("netns", "delete", namespace);
		},
	};
}

function ip(...words: readonly string[]): void {
	execFileSync("ip", words, { stdio: ["ignore", "ignore", "pipe"] });
}
