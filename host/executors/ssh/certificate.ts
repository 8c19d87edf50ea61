import type { Client, ParsedKey } from "ssh2";
import { excerpt } from "../../contract/excerpt.ts";

/** A certificate of OpenSSH for a key (PROTOCOL.certkeys). */
export interface Certificate {
	/** The key, shown by its certificate. */
	readonly key: ParsedKey;
	/** For whom and how long it is. */
	readonly description: string;
}

const suffix = "-cert-v01@openssh.com";
const userCertificate = 1;

/** How many fields of a certificate are those of the public key, by the type of that. */
const keyFields: Readonly<Record<string, number>> = {
	"ssh-ed25519": 1,
	"ecdsa-sha2-nistp256": 2,
	"ecdsa-sha2-nistp384": 2,
	"ecdsa-sha2-nistp521": 2,
	"ssh-rsa": 2,
};

/** Reads the text of a certificate file. `refuse` throws; it is told what is wrong with it. */
export function readCertificate(text: Buffer, key: ParsedKey, refuse: (problem: string) => never): Certificate {
	const [, type = "", encoded = ""] = /^\s*(\S+)\s+([A-Za-z0-9+/]+=*)(?:\s|$)/.exec(text.toString("latin1")) ?? [];
	const baseType = type.slice(0, -suffix.length);
	const count = type.endsWith(suffix) && Object.hasOwn(keyFields, baseType) ? keyFields[baseType] : undefined;
	if (count === undefined) return refuse(`holds no certificate for a key of the types ${Object.keys(keyFields).join(", ")}.`);
	const certificate = Buffer.from(encoded, "base64");
	try {
		const fields = new Fields(certificate);
		if (fields.text() !== type) throw new RangeError();
		fields.bytes();
		const start = fields.offset;
		for (let field = 0; field < count; field++) fields.bytes();
		const publicKey = Buffer.concat([field(baseType), certificate.subarray(start, fields.offset)]);
		if (!publicKey.equals(key.getPublicSSH())) return refuse("is for another key.");
		fields.skip(8);
		if (fields.number() !== userCertificate) return refuse("is one of a host, not of a user.");
		const id = fields.text();
		const names = new Fields(fields.bytes());
		const principals: string[] = [];
		while (names.hasMore) principals.push(names.text());
		const from = fields.time();
		const until = fields.time();
		const time = from === undefined && until === undefined ? "for ever" : `from ${from ?? "ever"} until ${until ?? "ever"}`;
		const described = `id ${excerpt(id)}, for ${principals.map((one) => excerpt(one)).join(", ") || "every account"}, ${time}`;
		// What ssh2 takes for a key is one whose public part is the certificate.
		return {
			key: Object.create(key, { getPublicSSH: { value: () => certificate } }) as ParsedKey,
			description: described,
		};
	} catch (cause) {
		if (cause instanceof RangeError) return refuse("is damaged.");
		throw cause;
	}
}

/** What ssh2 1.17 has behind its interface, as far as it is needed here. Its version is pinned, and test/ssh/login.test.ts logs in with it. */
interface Protocol {
	authPK(username: string, key: ParsedKey, algorithm?: string, sign?: Sign): void;
	readonly _packetRW: { readonly write: PacketWriter };
}

type Sign = (data: Buffer, answer: (signature: Buffer) => void) => void;

interface PacketWriter {
	/** Where the payload of a packet begins. */
	readonly allocStart: number;
	alloc(payloadBytes: number): Buffer;
	finalize(packet: Buffer): Buffer;
}

/**
 * Makes a client show certificates, of which ssh2 knows nothing: a request then names the algorithm of the certificate, and its signature that of
 * the key. ssh2 writes one name for both.
 */
export function signAsCertified(client: Client): void {
	const protocol = (client as unknown as { readonly _protocol: Protocol })._protocol;
	const { authPK } = protocol;
	protocol.authPK = (username, key, keyAlgorithm = key.type, sign) => {
		const algorithm = `${keyAlgorithm}${suffix}`;
		if (!sign) return authPK.call(protocol, username, key, algorithm);
		authPK.call(protocol, username, key, algorithm, (data, answer) =>
			sign(data, (signature) => {
				const writer = protocol._packetRW.write;
				const { finalize } = writer;
				// The one packet that is written now.
				writer.finalize = (packet) => finalize.call(writer, nameSignature(writer, packet, keyAlgorithm));
				try {
					answer(signature);
				} finally {
					writer.finalize = finalize;
				}
			}),
		);
	};
}

/** The same request (RFC 4252, 7) with another name of the algorithm in its signature. */
function nameSignature(writer: PacketWriter, packet: Buffer, algorithm: string): Buffer {
	const fields = new Fields(packet, writer.allocStart);
	fields.skip(1);
	// Account, service, method.
	for (let count = 0; count < 3; count++) fields.bytes();
	fields.skip(1);
	// Algorithm, public key.
	for (let count = 0; count < 2; count++) fields.bytes();
	const request = packet.subarray(writer.allocStart, fields.offset);
	const written = new Fields(fields.bytes());
	written.bytes();
	const signature = field(Buffer.concat([field(algorithm), field(written.bytes())]));
	const named = writer.alloc(request.length + signature.length);
	request.copy(named, writer.allocStart);
	signature.copy(named, writer.allocStart + request.length);
	return named;
}

/** A string of SSH: its length before it. */
function field(value: string | Buffer): Buffer {
	const bytes = Buffer.from(value as string);
	const length = Buffer.alloc(4);
	length.writeUInt32BE(bytes.length);
	return Buffer.concat([length, bytes]);
}

/** Reads what SSH writes. Throws RangeError behind the end. */
class Fields {
	readonly #buffer: Buffer;
	offset: number;

	constructor(buffer: Buffer, offset = 0) {
		this.#buffer = buffer;
		this.offset = offset;
	}

	get hasMore(): boolean {
		return this.offset < this.#buffer.length;
	}

	skip(bytes: number): void {
		this.offset += bytes;
	}

	number(): number {
		const value = this.#buffer.readUInt32BE(this.offset);
		this.offset += 4;
		return value;
	}

	bytes(): Buffer {
		const length = this.number();
		const end = this.offset + length;
		if (end > this.#buffer.length) throw new RangeError(`${length} bytes are not there`);
		const value = this.#buffer.subarray(this.offset, end);
		this.offset = end;
		return value;
	}

	text(): string {
		return this.bytes().toString("utf8");
	}

	/** Seconds since 1970 as a date; undefined for what has no bounds. */
	time(): string | undefined {
		const seconds = this.#buffer.readBigUInt64BE(this.offset);
		this.offset += 8;
		return seconds === 0n || seconds > 253_402_300_799n ? undefined : new Date(Number(seconds) * 1_000).toISOString();
	}
}
