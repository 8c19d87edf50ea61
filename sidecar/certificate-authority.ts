import { createPrivateKey, randomBytes, X509Certificate } from "node:crypto";
import {
	closeSync,
	constants,
	fstatSync,
	linkSync,
	openSync,
	readdirSync,
	readFileSync,
	rmSync,
	statSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { RuntimeError } from "../host/contract/errors.ts";
import { keysDirectory } from "../host/tokens/key-ring.ts";
import { loadX509 } from "./x509.ts";

/** The one algorithm of certificates: what every client's TLS library has. */
export const certificateAlgorithm = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" } as const;

const hour = 60 * 60_000;
const day = 24 * hour;
/** Clocks of others may be behind. */
export const backdateMs = hour;
/** Nothing that is issued is good for longer, but the host's own certificate, which is in memory. */
export const maxCertificateMs = day;
/** A retired authority may have issued for a moment more, in processes that did not know yet. */
const overlapMs = maxCertificateMs + hour;
const authorityMs = 3_650 * day;
/** A new one is made by itself before the last has expired. */
const renewBeforeMs = 30 * day;
/** How often the directory is looked at for authorities that a command has made meanwhile. */
const lookEveryMs = 1_000;

const fileName = (number: number): string => `ca-${number}.pem`;
/** What anybody else has put there is none of ours. */
const filePattern = /^ca-([1-9]\d{0,8})\.pem$/;

/** An authority of a data directory, without its secret. */
export interface AuthorityDescription {
	readonly id: string;
	/** Milliseconds since the Unix epoch. */
	readonly createdAt: number;
	/** Since when it issues nothing any more. What it has issued is good until it expires, a day at most. */
	readonly retiredAt?: number;
}

/** An authority that can issue. */
export interface Authority extends AuthorityDescription {
	/** PEM. */
	readonly certificate: string;
	readonly signingKey: CryptoKey;
}

/** The authorities that count now. */
export interface Authorities {
	/** Issues what clients show: servers learn of a new authority by themselves. */
	readonly newest: Authority;
	/** Issues what servers show: clients that were given their trust before a rotation know no other. */
	readonly oldest: Authority;
	/** The certificates of all that are trusted (PEM). */
	readonly trusted: string;
}

interface AuthorityFile {
	readonly number: number;
	readonly createdAt: number;
	readonly certificate: string;
	readonly key: string;
}

/**
 * The private certificate authority of a data directory: `keys/ca-<number>.pem`, mode 0600, certificate and key. The highest number issues; those
 * before it are trusted until what they have issued has expired. Made at the first need, rotated by `rotateAuthority`.
 */
export class CertificateAuthority {
	readonly #dataDirectory: string;
	#authorities: readonly Authority[] = [];
	#current: Authorities | undefined;
	/** When the oldest is not trusted any more, or the newest is to be followed by another. */
	#currentUntil = 0;
	#seen = "";
	#lookedAt = Number.NEGATIVE_INFINITY;
	#loading: Promise<void> | undefined;

	constructor(dataDirectory: string) {
		this.#dataDirectory = dataDirectory;
	}

	/** Throws `unavailable` when the directory cannot be used, or the file of an authority is damaged or none of this user's. */
	async current(): Promise<Authorities> {
		await this.#look();
		const now = Date.now();
		if (this.#current && now < this.#currentUntil) return this.#current;
		const last = this.#authorities.at(-1);
		if (!last || expiryOf(last) - renewBeforeMs <= now) {
			await addAuthority(keysDirectory(this.#dataDirectory), Number(last?.id ?? 0) + 1);
			this.#lookedAt = Number.NEGATIVE_INFINITY;
			await this.#look();
		}
		const trusted = this.#authorities.filter((one) => isTrusted(one, now));
		const [oldest, newest] = [trusted[0], trusted.at(-1)];
		if (!oldest || !newest) throw new RuntimeError("unavailable", "There is no certificate authority.");
		this.#current = { newest, oldest, trusted: trusted.map(({ certificate }) => certificate).join("") };
		const nextChange = oldest.retiredAt === undefined ? Number.POSITIVE_INFINITY : oldest.retiredAt + overlapMs;
		this.#currentUntil = Math.min(nextChange, expiryOf(newest) - renewBeforeMs);
		return this.#current;
	}

	/** Reads the directory when it has changed, at most once a second. */
	#look(): Promise<void> {
		if (performance.now() - this.#lookedAt < lookEveryMs) return this.#loading ?? Promise.resolve();
		this.#lookedAt = performance.now();
		// One after the other: what was read later is what counts.
		this.#loading = (this.#loading ?? Promise.resolve()).catch(() => undefined).then(() => this.#load());
		return this.#loading;
	}

	async #load(): Promise<void> {
		const directory = keysDirectory(this.#dataDirectory);
		const changed = String(statSync(directory, { bigint: true }).mtimeNs);
		if (changed === this.#seen) return;
		const files = readAuthorities(directory);
		const known = new Map(this.#authorities.map((one) => [one.certificate, one]));
		this.#authorities = await Promise.all(
			files.map(async (file, index) => ({
				...describe(file, files[index + 1]),
				certificate: file.certificate,
				signingKey: known.get(file.certificate)?.signingKey ?? (await importKey(file.key)),
			})),
		);
		this.#current = undefined;
		this.#seen = changed;
	}
}

/** Makes a new authority, which issues from now on. Those before it are trusted until what they have issued has expired, and then removed by the next rotation. */
export async function rotateAuthority(dataDirectory: string): Promise<AuthorityDescription> {
	const directory = keysDirectory(dataDirectory);
	const last = readAuthorities(directory).at(-1);
	await addAuthority(directory, (last?.number ?? 0) + 1);
	const files = readAuthorities(directory);
	const now = Date.now();
	for (const [index, file] of files.entries())
		if (!isTrusted(describe(file, files[index + 1]), now)) rmSync(join(directory, fileName(file.number)));
	return describe(files.at(-1) as AuthorityFile, undefined);
}

/** The authorities of a data directory, the newest first. */
export function listAuthorities(dataDirectory: string): readonly AuthorityDescription[] {
	const files = readAuthorities(keysDirectory(dataDirectory));
	return files.map((file, index) => describe(file, files[index + 1])).reverse();
}

const describe = ({ number, createdAt }: AuthorityFile, next: AuthorityFile | undefined): AuthorityDescription => ({
	id: String(number),
	createdAt,
	...(next && { retiredAt: next.createdAt }),
});

const isTrusted = ({ retiredAt }: AuthorityDescription, now: number): boolean =>
	retiredAt === undefined || now < retiredAt + overlapMs;

const expiryOf = ({ createdAt }: AuthorityDescription): number => createdAt + authorityMs;

/** Makes the authority with this number, unless another process has. */
async function addAuthority(directory: string, number: number): Promise<void> {
	const x509 = await loadX509();
	const keys = await crypto.subtle.generateKey(certificateAlgorithm, true, ["sign", "verify"]);
	const now = Math.floor(Date.now() / 1_000) * 1_000;
	const certificate = await x509.X509CertificateGenerator.createSelfSigned({
		serialNumber: serialNumber(),
		// One name each: which of them has issued a certificate is found by it.
		name: `CN=Cronium authority ${randomBytes(8).toString("hex")}`,
		notBefore: new Date(now - backdateMs),
		notAfter: new Date(now + authorityMs),
		signingAlgorithm: certificateAlgorithm,
		keys,
		extensions: [
			new x509.BasicConstraintsExtension(true, 0, true),
			new x509.KeyUsagesExtension(x509.KeyUsageFlags.keyCertSign, true),
			await x509.SubjectKeyIdentifierExtension.create(keys.publicKey),
		],
	});
	const draft = join(directory, `.ca-${randomBytes(9).toString("base64url")}`);
	try {
		// Whole or not at all, never readable by others, and never through a link.
		writeFileSync(draft, `${certificate.toString("pem")}\n${await exportKey(keys.privateKey)}`, {
			mode: 0o600,
			flag: "wx",
			flush: true,
		});
		linkSync(draft, join(directory, fileName(number)));
	} catch (error) {
		if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
	} finally {
		rmSync(draft, { force: true });
	}
}

/** A number that nobody can foresee (RFC 5280: positive, at most 20 octets). */
export const serialNumber = (): string => `01${randomBytes(15).toString("hex")}`;

/** A private key as PEM. */
export async function exportKey(key: CryptoKey): Promise<string> {
	const text = Buffer.from(await crypto.subtle.exportKey("pkcs8", key)).toString("base64");
	return `-----BEGIN PRIVATE KEY-----\n${text.replace(/.{64}/g, "$&\n").trimEnd()}\n-----END PRIVATE KEY-----\n`;
}

const importKey = (pem: string): Promise<CryptoKey> =>
	crypto.subtle.importKey("pkcs8", Buffer.from(pem.replace(/-----[^-]+-----|\s/g, ""), "base64"), certificateAlgorithm, false, [
		"sign",
	]);

/** In the order of their numbers. */
function readAuthorities(directory: string): readonly AuthorityFile[] {
	return readdirSync(directory)
		.map((name) => Number(filePattern.exec(name)?.[1] ?? 0))
		.filter((number) => number > 0)
		.sort((one, other) => one - other)
		.flatMap((number) => readAuthority(directory, number) ?? []);
}

/** Undefined when it has been removed meanwhile. */
function readAuthority(directory: string, number: number): AuthorityFile | undefined {
	const path = join(directory, fileName(number));
	try {
		const [, certificate, key] =
			/^(-----BEGIN CERTIFICATE-----\n[^-]+-----END CERTIFICATE-----\n)(-----BEGIN PRIVATE KEY-----\n[^-]+-----END PRIVATE KEY-----\n)$/.exec(
				readPrivate(path),
			) ?? [];
		if (certificate === undefined || key === undefined) throw new Error("It is not a certificate and a key.");
		const read = new X509Certificate(certificate);
		if (!read.ca || !read.checkPrivateKey(createPrivateKey(key))) throw new Error("It is not an authority and its key.");
		return { number, certificate, key, createdAt: read.validFromDate.getTime() + backdateMs };
	} catch (cause) {
		if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
		if (cause instanceof RuntimeError) throw cause;
		// Its text stays out of the message: it may be half a key.
		throw new RuntimeError("unavailable", `The file ${path} of a certificate authority is damaged.`);
	}
}

/** Reads a file of this user that is no link: whoever could put one there would say whom the host trusts. */
function readPrivate(path: string): string {
	let file: number;
	try {
		file = openSync(path, constants.O_RDONLY | constants.O_NOFOLLOW | constants.O_NONBLOCK);
	} catch (cause) {
		if ((cause as NodeJS.ErrnoException).code !== "ELOOP") throw cause;
		throw new RuntimeError("unavailable", `${path} is a symbolic link; the file of a certificate authority must be a file.`);
	}
	try {
		const stats = fstatSync(file);
		if (!stats.isFile()) throw new RuntimeError("unavailable", `${path} is not a file; a certificate authority is one.`);
		if (process.geteuid && stats.uid !== process.geteuid())
			throw new RuntimeError(
				"unavailable",
				`${path} belongs to user ${stats.uid}; a certificate authority must be this user's own.`,
			);
		if ((stats.mode & 0o077) !== 0)
			throw new RuntimeError(
				"unavailable",
				`${path} is open to others (mode ${(stats.mode & 0o777).toString(8)}); a certificate authority must be private (600).`,
			);
		return readFileSync(file, "utf8");
	} finally {
		closeSync(file);
	}
}
