import { floor, imul } from "./primordials.ts";

// Every run starts from the same memory image, so the engine's own generator would give every run the same numbers.
// This one (sfc32) is seeded by the host at the start of a run. Not for secrets: crypto.getRandomValues is.

let a = 0x9e3779b9;
let b = 0x243f6a88;
let c = 0xb7e15162;
let counter = 1;

/** Starts over from `seed`, a number of up to 53 random bits. */
export function seedRandom(seed: number): void {
	a = seed | 0;
	b = floor(seed / 0x1_0000_0000) | 0;
	c = imul(a ^ 0x9e3779b9, 0x85ebca6b);
	counter = 1;
	for (let round = 0; round < 12; round++) next();
}

function next(): number {
	const sum = (a + b + counter) | 0;
	counter = (counter + 1) | 0;
	a = b ^ (b >>> 9);
	b = (c + (c << 3)) | 0;
	c = ((c << 21) | (c >>> 11)) + sum;
	c |= 0;
	return sum >>> 0;
}

Math.random = function random(): number {
	return ((next() >>> 5) * 0x400_0000 + (next() >>> 6)) / 0x20_0000_0000_0000;
};
