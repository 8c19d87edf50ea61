import { isIPv6, SocketAddress } from "node:net";

/** An address in the one form in which it is compared: an IPv4 address in IPv6 form is the same address, and a zone is this machine's own affair. */
export function canonicalAddress(text: string): string {
	const [address = ""] = text.split("%", 1);
	if (!isIPv6(address)) return address;
	const shown = new SocketAddress({ address, family: "ipv6" }).address;
	return /^::ffff:(\d+\.\d+\.\d+\.\d+)$/.exec(shown)?.[1] ?? shown;
}

/** What counts as one client: an IPv4 address, or the 64 bits of an IPv6 address that its holder was given; the rest of it he chooses. */
export function clientNetwork(text: string): string {
	const address = canonicalAddress(text);
	if (!isIPv6(address)) return address;
	const [head = "", tail = ""] = address.split("::");
	const before = head === "" ? [] : head.split(":");
	const after = tail === "" ? [] : tail.split(":").flatMap((group) => (group.includes(".") ? ["", ""] : [group]));
	const groups = [...before, ...new Array<string>(8 - before.length - after.length).fill("0"), ...after];
	return `${groups.slice(0, 4).join(":")}::/64`;
}
