import { loadCrypto } from "../crypto.ts";

/** Three numbers of 32 random bits, with which `Math.random` of one run begins. */
export type Seed = readonly [number, number, number];

const wordsOfSeed = 3;
/** Drawn by many, because a draw costs as much as the rest of a start; each is handed out once. */
const words = new Uint32Array(1_024 * wordsOfSeed);
let next = words.length;

/** A seed that no other run gets. */
export function drawSeed(): Seed {
	if (next === words.length) {
		loadCrypto().randomFillSync(words);
		next = 0;
	}
	const seed = [...words.subarray(next, next + wordsOfSeed)] as unknown as Seed;
	words.fill(0, next, next + wordsOfSeed);
	next += wordsOfSeed;
	return seed;
}

/** The seed as 24 bytes, for an engine with generators of its own. */
export function expandSeed(seed: Seed): Uint8Array {
	return loadCrypto()
		.createHash("sha256")
		.update(new Uint8Array(Uint32Array.from(seed).buffer))
		.digest()
		.subarray(0, 24);
}
