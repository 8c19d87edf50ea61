import { isIP, isIPv4 } from "node:net";

/** The bytes of an address: 4 or 16. */
type AddressBytes = readonly number[];

/** A block of addresses, as in `10.0.0.0/8`. */
export interface AddressRange {
	readonly bytes: AddressBytes;
	readonly prefixLength: number;
}

/** `192.168.0.0/16`, `::1` or any other address with or without a prefix length; undefined for anything else. */
export function parseAddressRange(text: string): AddressRange | undefined {
	const [address, length, ...more] = text.split("/");
	const bytes = address === undefined ? undefined : parseAddress(address);
	if (!bytes || more.length > 0) return undefined;
	if (length === undefined) return { bytes, prefixLength: bytes.length * 8 };
	if (!/^(?:0|[1-9]\d{0,2})$/.test(length) || Number(length) > bytes.length * 8) return undefined;
	return { bytes, prefixLength: Number(length) };
}

/** Whether the address lies in the range. An IPv4 address in IPv6 form is the same address. */
export function isInRange(range: AddressRange, address: string): boolean {
	const bytes = parseAddress(address);
	if (!bytes) return false;
	if (bytes.length === range.bytes.length && hasPrefix(bytes, range.bytes, range.prefixLength)) return true;
	const embedded = mappedIpv4(bytes);
	return embedded !== undefined && range.bytes.length === 4 && hasPrefix(embedded, range.bytes, range.prefixLength);
}

/**
 * What kind of address that is not on the public internet this is (`private`, `loopback`, …); undefined for a public one. What is not
 * known to be public is not: unassigned IPv6 space, and anything that is no address.
 */
export function privateKind(address: string): string | undefined {
	const bytes = parseAddress(address);
	if (!bytes) return "malformed";
	const { ipv4Kinds, ipv6Kinds, globalUnicast } = ranges();
	if (bytes.length === 4) return kindOf(bytes, ipv4Kinds);
	const embedded = mappedIpv4(bytes) ?? translatedIpv4(bytes);
	if (embedded) return kindOf(embedded, ipv4Kinds);
	if (isIsatap(bytes)) return kindOf(bytes, ipv6Kinds) ?? "tunnel";
	return kindOf(bytes, ipv6Kinds) ?? (hasPrefix(bytes, globalUnicast.bytes, globalUnicast.prefixLength) ? undefined : "reserved");
}

type KindTable = readonly (readonly [kind: string, range: AddressRange])[];

let made: ReturnType<typeof makeRanges> | undefined;

/** Made when they are first asked for: Node takes 10 to 20 ms for the first address that it looks at, and most programs look at none. */
function ranges(): ReturnType<typeof makeRanges> {
	made ??= makeRanges();
	return made;
}

/** From the IANA registries of special-purpose addresses. */
function makeRanges() {
	return {
		ipv4Kinds: table({
			private: ["10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16"],
			loopback: ["127.0.0.0/8"],
			"link-local": ["169.254.0.0/16"],
			"shared (carrier-grade NAT)": ["100.64.0.0/10"],
			unspecified: ["0.0.0.0/8"],
			multicast: ["224.0.0.0/4"],
			reserved: [
				"192.0.0.0/24",
				"192.0.2.0/24",
				"192.88.99.0/24",
				"198.18.0.0/15",
				"198.51.100.0/24",
				"203.0.113.0/24",
				"240.0.0.0/4",
			],
		}),
		ipv6Kinds: table({
			unspecified: ["::/128"],
			loopback: ["::1/128"],
			private: ["fc00::/7", "fec0::/10"],
			"link-local": ["fe80::/10"],
			multicast: ["ff00::/8"],
			// Tunnels (Teredo, 6to4) lead to IPv4 addresses that nobody has checked.
			tunnel: ["2001::/32", "2002::/16"],
			reserved: ["2001::/23", "2001:db8::/32", "3fff::/20"],
		}),
		globalUnicast: requireRange("2000::/3"),
		mapped: requireRange("::ffff:0:0/96"),
		/** The well-known prefix of NAT64: networks without IPv4 show every IPv4 host under it. */
		translated: requireRange("64:ff9b::/96"),
	};
}

function table(rows: Readonly<Record<string, readonly string[]>>): KindTable {
	return Object.entries(rows).flatMap(([kind, ranges]) => ranges.map((range) => [kind, requireRange(range)] as const));
}

function requireRange(text: string): AddressRange {
	const range = parseAddressRange(text);
	if (!range) throw new Error(`${text} is not a range of addresses`);
	return range;
}

function kindOf(bytes: AddressBytes, kinds: KindTable): string | undefined {
	return kinds.find(([, range]) => hasPrefix(bytes, range.bytes, range.prefixLength))?.[0];
}

const mappedIpv4 = (bytes: AddressBytes): AddressBytes | undefined => embeddedIn(ranges().mapped, bytes);
const translatedIpv4 = (bytes: AddressBytes): AddressBytes | undefined => embeddedIn(ranges().translated, bytes);

/** RFC 5214: under any prefix, `…:0:5efe:10.0.0.1` (or `200:5efe`) is a tunnel to an IPv4 address. The flags in the first byte say nothing. */
function isIsatap(bytes: AddressBytes): boolean {
	const [flags, zero, high, low] = bytes.slice(8);
	return ((flags as number) & ~0x03) === 0 && zero === 0 && high === 0x5e && low === 0xfe;
}

function embeddedIn(range: AddressRange, bytes: AddressBytes): AddressBytes | undefined {
	return bytes.length === 16 && hasPrefix(bytes, range.bytes, range.prefixLength) ? bytes.slice(12) : undefined;
}

function hasPrefix(bytes: AddressBytes, prefix: AddressBytes, length: number): boolean {
	for (let bit = 0; bit < length; bit += 8) {
		const mask = length - bit >= 8 ? 0xff : (0xff00 >> (length - bit)) & 0xff;
		if ((((bytes[bit / 8] as number) ^ (prefix[bit / 8] as number)) & mask) !== 0) return false;
	}
	return true;
}

/** Undefined for what is no address, and for one with a zone (`fe80::1%eth0`). */
function parseAddress(text: string): AddressBytes | undefined {
	if (isIPv4(text)) return text.split(".").map(Number);
	if (isIP(text) !== 6 || text.includes("%")) return undefined;
	const [head = "", tail] = text.split("::");
	const before = groupBytes(head);
	const after = groupBytes(tail ?? "");
	return [...before, ...new Array<number>(16 - before.length - after.length).fill(0), ...after];
}

function groupBytes(groups: string): number[] {
	if (groups === "") return [];
	return groups.split(":").flatMap((group) => {
		if (group.includes(".")) return group.split(".").map(Number);
		const value = Number.parseInt(group, 16);
		return [value >> 8, value & 0xff];
	});
}
