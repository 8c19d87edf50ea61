// Every run starts from the same memory image, so the engine's own generator would give every run the same numbers.
// This one (sfc32) is seeded by the host at the start of a run. Not for secrets: crypto.getRandomValues is.

let a = 0x9e3779b9;
let b = 0x243f6a88;
let c = 0xb7e15162;
let counter = 1;

/** Starts over from three words of 32 random bits. */
export function seedRandom(first: number, second: number, third: number): void {
	a = first | 0;
	b = second | 0;
	c = third | 0;
	counter = 1;
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
