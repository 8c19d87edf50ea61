import { randomBytes } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { type CryptoKey, exportJWK, generateKeyPair, importJWK, type JWK } from "jose";
import { RuntimeError } from "../contract/errors.ts";
import { limitDefinitions } from "../contract/limits.ts";

/** The one algorithm of execution tokens (RFC 9864). A token that names another is refused before its key is looked up. */
export const tokenAlgorithm = "Ed25519";

/** A key that signs execution tokens, or did. */
export interface SigningKey {
	readonly id: string;
	/** Milliseconds since the Unix epoch. */
	readonly createdAt: number;
	/** Since when it only verifies. It is removed when no token that it signed can be good any more. */
	readonly retiredAt?: number;
}

interface LoadedKey extends SigningKey {
	readonly privateKey: CryptoKey;
	readonly publicKey: CryptoKey;
}

interface KeyFile extends SigningKey {
	readonly key: JWK;
}

/** How often the directory is looked at for keys that a command has made meanwhile. */
const lookEveryMs = 1_000;
const suffix = ".json";
const prefix = "token-";
/** What anybody else has put there is none of ours. */
const keyFileName = /^token-[A-Za-z0-9_-]{12}\.json$/;

/** The signing keys of a data directory: `keys/token-<id>.json`, mode 0600. Made at the first start, rotated by `rotateKeys`. */
export class KeyRing {
	readonly #directory: string;
	#keys = new Map<string, LoadedKey>();
	#seen = "";
	#lookedAt = Number.NEGATIVE_INFINITY;
	#loading: Promise<void> | undefined;
	#making: Promise<void> | undefined;

	constructor(directory: string) {
		this.#directory = directory;
	}

	/** The key that signs now. Makes the first one. Throws `unavailable` when the directory cannot be used or a key file is damaged. */
	async signer(): Promise<LoadedKey> {
		await this.#look();
		let newest = newestOf(this.#keys.values());
		if (!newest) {
			// One key, however many tokens are wanted at the first start.
			this.#making ??= this.#make().finally(() => {
				this.#making = undefined;
			});
			await this.#making;
			newest = newestOf(this.#keys.values());
		}
		if (!newest) throw new RuntimeError("unavailable", "There is no key to sign execution tokens with.");
		return newest;
	}

	/** The key with this id, if there is one. */
	async find(id: string): Promise<CryptoKey | undefined> {
		if (!this.#keys.has(id)) await this.#look();
		return this.#keys.get(id)?.publicKey;
	}

	async #make(): Promise<void> {
		await addKey(keysDirectory(this.#directory));
		await this.#look(true);
	}

	/** Reads the directory when it has changed, at most once a second: an unknown key id must not make work for every request. */
	async #look(now = false): Promise<void> {
		if (!now && performance.now() - this.#lookedAt < lookEveryMs) return this.#loading;
		this.#lookedAt = performance.now();
		const directory = keysDirectory(this.#directory);
		const changed = String(statSync(directory, { bigint: true }).mtimeNs);
		if (changed === this.#seen) return;
		this.#loading = loadKeys(directory).then((keys) => {
			this.#keys = keys;
			this.#seen = changed;
		});
		await this.#loading;
	}
}

/** Makes a new key, which signs from now on, and retires those before it. They verify until the tokens that they signed have expired. */
export async function rotateKeys(dataDirectory: string): Promise<SigningKey> {
	const directory = keysDirectory(dataDirectory);
	const now = Date.now();
	const made = await addKey(directory);
	for (const file of readKeyFiles(directory)) {
		if (file.id === made.id) continue;
		if (file.retiredAt === undefined) writeKeyFile(directory, { ...file, retiredAt: now });
		else if (file.retiredAt + limitDefinitions.tokenLifetimeMs.maximum < now) rmSync(join(directory, prefix + file.id + suffix));
	}
	return made;
}

/** The keys of a data directory, the newest first; without their secrets. */
export function listKeys(dataDirectory: string): readonly SigningKey[] {
	return readKeyFiles(keysDirectory(dataDirectory))
		.map(({ id, createdAt, retiredAt }) => ({ id, createdAt, ...(retiredAt !== undefined && { retiredAt }) }))
		.sort((one, other) => other.createdAt - one.createdAt);
}

/** Where a data directory has its secrets; made with mode 0700. */
export function keysDirectory(dataDirectory: string): string {
	const directory = join(dataDirectory, "keys");
	mkdirSync(directory, { recursive: true, mode: 0o700 });
	return directory;
}

async function addKey(directory: string): Promise<SigningKey> {
	const { privateKey } = await generateKeyPair(tokenAlgorithm, { extractable: true });
	const made = { id: randomBytes(9).toString("base64url"), createdAt: Date.now() };
	writeKeyFile(directory, { ...made, key: await exportJWK(privateKey) });
	return made;
}

function newestOf(keys: Iterable<LoadedKey>): LoadedKey | undefined {
	let newest: LoadedKey | undefined;
	for (const key of keys) if (key.retiredAt === undefined && (!newest || key.createdAt > newest.createdAt)) newest = key;
	return newest;
}

async function loadKeys(directory: string): Promise<Map<string, LoadedKey>> {
	const keys = new Map<string, LoadedKey>();
	for (const { key, ...rest } of readKeyFiles(directory)) {
		const { d: _secret, ...open } = key;
		const privateKey = (await importJWK(key, tokenAlgorithm)) as CryptoKey;
		const publicKey = (await importJWK(open, tokenAlgorithm)) as CryptoKey;
		keys.set(rest.id, { ...rest, privateKey, publicKey });
	}
	return keys;
}

function readKeyFiles(directory: string): KeyFile[] {
	return readdirSync(directory)
		.filter((name) => keyFileName.test(name))
		.map((name) => {
			try {
				return JSON.parse(readFileSync(join(directory, name), "utf8")) as KeyFile;
			} catch (cause) {
				// Its text stays out of the message: it may be half a key.
				throw new RuntimeError("unavailable", `The key file ${join(directory, name)} is damaged.`, {}, { cause });
			}
		});
}

/** Written whole or not at all, and never readable by others. */
function writeKeyFile(directory: string, file: KeyFile): void {
	const draft = join(directory, `.${prefix}${file.id}`);
	writeFileSync(draft, JSON.stringify(file), { mode: 0o600, flush: true });
	renameSync(draft, join(directory, prefix + file.id + suffix));
}
