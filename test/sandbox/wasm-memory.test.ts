import { expect, test } from "vitest";
import { GuestMemory } from "../../host/sandbox/wasm-memory.ts";
import { createRandom } from "../helpers/unruly-store.ts";

const pages = 6;
const bytes = pages * 65_536;
/** Neither begins nor ends where chunks do; the last leaves a rest at the end of the memory. */
const segments = [
	{ offset: 12_288, bytes: new Uint8Array(100_000).fill(7) },
	{ offset: 200_704, bytes: new Uint8Array(4_096).fill(8) },
];

function createMemory(): { readonly memory: GuestMemory; readonly expected: Buffer } {
	const memory = new GuestMemory(new WebAssembly.Memory({ initial: pages, maximum: pages }));
	memory.write(segments);
	return { memory, expected: Buffer.from(memory.bytes) };
}

/** Where a chunk, a cache line, a segment or the memory begins or ends, and one byte to each side. */
const edges = [0, 64, 4_096, 12_288, 65_536, 65_600, 112_288, 131_072, 177_824, 200_704, 204_800, 270_336, 327_680, bytes]
	.flatMap((edge) => [edge - 1, edge, edge + 1])
	.filter((at) => at >= 0 && at < bytes);

test.each(edges)("one byte that a script left at %i is taken back", (at) => {
	const { memory, expected } = createMemory();
	memory.bytes[at] = 255;
	memory.overwrite(segments);
	expect(memory.bytes.equals(expected)).toBe(true);
});

test.each([1, 8, 63, 64, 65, 128, 4_096])("a pattern that repeats every %i bytes is taken back", (period) => {
	const { memory, expected } = createMemory();
	for (let at = period - 1; at < bytes; at += period) memory.bytes[at] = 1;
	memory.overwrite(segments);
	expect(memory.bytes.equals(expected)).toBe(true);
});

test("whatever a script left is taken back", () => {
	const random = createRandom(1);
	const { memory, expected } = createMemory();
	for (let round = 0; round < 200; round++) {
		for (let left = Math.floor(random() * 20); left > 0; left--) {
			const start = Math.floor(random() * bytes);
			memory.bytes.fill(Math.floor(random() * 256), start, Math.min(start + Math.floor(random() ** 4 * 100_000), bytes));
		}
		memory.overwrite(segments);
		expect(memory.bytes.equals(expected)).toBe(true);
	}
});
