import { expect } from "vitest";
import { type Attack, describeAttacks } from "./arena.ts";

const gives =
	(expected: unknown): Attack["check"] =>
	({ status, error, output }) => {
		expect({ status, error, output }).toEqual({ status: "succeeded", error: undefined, output: expected });
	};

/** Whatever the engine makes of it, it stays in the guest: a value or an error of the script, or a limit named. */
const contained: Attack["check"] = ({ status, error }) => {
	if (status === "succeeded") return;
	expect(["failed", "timed-out"]).toContain(status);
	expect(["script-error", "memory-exceeded", "stack-exceeded", "cpu-time-exceeded", "wall-time-exceeded"]).toContain(error?.code);
};

describeAttacks([
	{
		name: "an array that shrinks its buffer while it is filled, copied or sorted reads and writes nothing outside",
		script: `
			const attempt = (length, work) => {
				const buffer = new ArrayBuffer(length, { maxByteLength: length * 2 }), bytes = new Uint8Array(buffer);
				const shrink = { valueOf() { buffer.resize(1); return 0x41; } };
				try { work(bytes, shrink, buffer); } catch {}
				return [bytes.length, buffer.byteLength];
			};
			export default function () {
				if (!("resize" in ArrayBuffer.prototype)) return "no resizable buffers";
				const sizes = [];
				for (const length of [64, 1_024, 16_384]) for (const work of [
					(bytes, shrink) => bytes.fill(shrink, 0, bytes.length), (bytes, shrink) => bytes.copyWithin(shrink, 8, length), (bytes, shrink) => bytes.set([1, shrink, 3], 4),
					(bytes, shrink) => bytes.subarray(0, shrink), (bytes, shrink) => bytes.slice(0, shrink), (bytes, shrink) => bytes.indexOf(0, shrink), (bytes, shrink) => bytes.lastIndexOf(0, shrink),
					(bytes, shrink) => bytes.includes(undefined, shrink), (bytes, shrink) => bytes.with?.(length - 1, shrink), (bytes, shrink) => bytes.at(shrink), (bytes, shrink) => bytes.join({ toString() { shrink.valueOf(); return ","; } }),
					(bytes, shrink) => bytes.sort(() => { shrink.valueOf(); return -1; }), (bytes, shrink) => bytes.toSorted?.(() => { shrink.valueOf(); return -1; }), (bytes, shrink) => bytes.map((value) => { shrink.valueOf(); return value; }),
					(bytes, shrink) => bytes.reduceRight((sum, value) => { shrink.valueOf(); return sum + value; }, 0), (bytes, shrink) => { for (const value of bytes) shrink.valueOf(); },
					(bytes, shrink, buffer) => new DataView(buffer).setUint32({ valueOf() { shrink.valueOf(); return length - 4; } }, 1), (bytes, shrink, buffer) => new DataView(buffer).setFloat64(length - 8, shrink),
					(bytes, shrink) => Atomics.store(bytes, length - 1, shrink), (bytes, shrink) => Atomics.compareExchange(bytes, length - 1, shrink, 1), (bytes, shrink) => new Uint8Array(bytes.buffer, 8, shrink),
					(bytes, shrink) => Uint8Array.from(bytes, (value) => { shrink.valueOf(); return value; }), (bytes, shrink) => new Uint8Array(bytes).set(bytes, shrink),
				]) sizes.push(attempt(length, work));
				const neighbours = Array.from({ length: 1_000 }, () => new Uint8Array(64)), dirty = neighbours.filter((bytes) => bytes.some((value) => value !== 0)).length;
				return { tried: sizes.length, wrong: sizes.filter(([length, bytes]) => length !== bytes).length, dirty };
			}`,
		check: ({ status, error, output }) => {
			expect({ status, error }).toEqual({ status: "succeeded", error: undefined });
			if (output !== "no resizable buffers") expect(output).toEqual({ tried: 69, wrong: 0, dirty: 0 });
		},
	},
	{
		name: "a buffer that is detached while an API of the host reads it gives nothing but an error or nothing",
		script: `
			const detached = () => { const bytes = new Uint8Array(1 << 16).fill(0x41); bytes.buffer.transfer?.(); return bytes; };
			const resizing = () => { const buffer = new ArrayBuffer(1 << 16, { maxByteLength: 1 << 17 }), bytes = new Uint8Array(buffer); buffer.resize(0); return bytes; };
			export default async function () {
				const results = [];
				for (const make of [detached, resizing]) for (const use of [(bytes) => new TextDecoder().decode(bytes), (bytes) => crypto.getRandomValues(bytes), (bytes) => new TextEncoder().encodeInto("abc", bytes), (bytes) => new Blob([bytes]).size,
					(bytes) => structuredClone(bytes), (bytes) => console.log(bytes), (bytes) => cronium.setVariable("bytes", bytes), (bytes) => JSON.stringify(bytes)])
					try { const result = await use(make()); results.push(typeof result === "string" ? result.length < 100 : true); } catch (error) { results.push(error instanceof Error); }
				return [results.length, new Set(results).size, results[0]];
			}`,
		check: gives([16, 1, true]),
	},
	{
		name: "structuredClone with a transfer list leaves no view of the old buffer",
		script: `export default function () {
				const buffer = new ArrayBuffer(1 << 16), bytes = new Uint8Array(buffer).fill(7);
				let copy; try { copy = structuredClone(buffer, { transfer: [buffer] }); } catch (error) { return error instanceof Error; }
				bytes[0] = 9;
				return bytes.length === 0 ? new Uint8Array(copy)[0] === 7 : new Uint8Array(copy)[0] === 7 || buffer === copy;
			}`,
		check: gives(true),
	},
	{
		name: "indexes beyond, below and beside a typed array read nothing and write nothing",
		script: `export default function () {
				const read = [];
				for (const Type of [Int8Array, Uint8ClampedArray, Int16Array, Uint32Array, Float32Array, Float64Array, BigInt64Array]) {
					const array = new Type(4);
					for (const index of [4, -1, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 1, 2 ** 32, 2 ** 53 - 1, -(2 ** 31), 0.5, "-0", "4294967295", NaN, Infinity]) {
						array[index] = Type === BigInt64Array ? 1n : 1;
						if (array[index] !== undefined && index !== "-0") read.push([Type.name, index]);
						try { new DataView(array.buffer).getInt8(index < 0 || index > 31 ? index : 32); read.push([Type.name, index, "view"]); } catch {}
						try { Atomics.load(array, index < 0 || index > 3 ? index : 4); read.push([Type.name, index, "atomics"]); } catch {}
					}
				}
				return read.filter(([, index]) => !Number.isNaN(index) && index !== 0.5 && index !== "-0");
			}`,
		check: gives([]),
	},
	{
		name: "lengths made to overflow 32 bits are refused",
		script: `export default function () {
				const made = [];
				for (const length of [2 ** 29, 2 ** 30, 2 ** 31 - 1, 2 ** 31, 2 ** 32 - 8, 2 ** 32, 2 ** 53 - 1]) for (const [name, make] of Object.entries({
					buffer: () => new ArrayBuffer(length), resizable: () => new ArrayBuffer(8, { maxByteLength: length }).resize(length), doubles: () => new Float64Array(length), shared: () => new SharedArrayBuffer(length),
					from: () => Uint8Array.from({ length }), repeat: () => "ab".repeat(length), padded: () => "a".padEnd(length, "bc"), concat: () => "".concat(..."x".repeat(9)).repeat(length),
				})) try { const result = make(); if (result !== undefined && length > 2 ** 26) made.push([name, length]); } catch (error) { if (!(error instanceof Error)) made.push([name, "foreign"]); }
				return made;
			}`,
		check: contained,
	},
	{
		name: "fresh memory is empty: buffers, grown buffers, transferred buffers and decoded text",
		script: `export default function () {
				{ const litter = []; for (let i = 0; i < 200; i++) litter.push(new Uint8Array(10_000).fill(0x53), "S".repeat(5_000) + i); }
				const dirty = (bytes) => { for (let i = 0; i < bytes.length; i++) if (bytes[i] !== 0) return true; return false; };
				const found = [];
				for (const size of [16, 100, 1_000, 10_000, 100_000, 1_000_000]) {
					if (dirty(new Uint8Array(size))) found.push(["array", size]);
					if (dirty(new Uint8Array(new ArrayBuffer(size)))) found.push(["buffer", size]);
					try { const grown = new ArrayBuffer(8, { maxByteLength: size }); grown.resize(size); if (dirty(new Uint8Array(grown))) found.push(["grown", size]); grown.resize(8); grown.resize(size); if (dirty(new Uint8Array(grown))) found.push(["grown twice", size]); } catch {}
					try { if (dirty(new Uint8Array(new Uint8Array(8).buffer.transfer(size)))) found.push(["transferred", size]); } catch {}
				}
				return found;
			}`,
		check: gives([]),
	},
	{
		name: "arrays whose length lies, with holes and getters, read nothing outside",
		script: `export default function () {
				const array = [1.1, 2.2, 3.3], out = [];
				Object.defineProperty(array, 1, { get() { array.length = 0; for (let i = 0; i < 100; i++) array.push({ secret: i }); return 2; }, configurable: true });
				out.push(array.concat([4]).length > 0, Array.prototype.slice.call({ length: 2 ** 32 }, 2 ** 32 - 2).length);
				const sorted = Array.from({ length: 500 }, (_, i) => i); sorted.sort((a, b) => { sorted.length = 0; return b - a; });
				const reversed = [1, 2, 3]; Object.defineProperty(reversed, 0, { get() { reversed.length = 1; return 1; }, set() {}, configurable: true }); try { reversed.reverse(); } catch {}
				const spliced = Array.from({ length: 100 }, (_, i) => i); spliced.splice({ valueOf() { spliced.length = 3; return 2; } }, { valueOf() { spliced.length = 0; return 50; } }, "x");
				const flat = [[1], [2]]; Object.defineProperty(flat, 0, { get() { flat.length = 0; return [flat]; } }); try { flat.flat(Infinity); } catch {}
				return out;
			}`,
		check: gives([true, 2]),
	},
	{
		name: "regular expressions and strings with changing lastIndex read nothing outside",
		script: String.raw`export default function () {
				const results = [];
				for (const flags of ["g", "y", "gy", "u", "v", "d"]) try {
					const expression = new RegExp("(?<=(\\w){3})(a|b|\\k<n>)(?<n>.)?", flags);
					for (const lastIndex of [-1, 2 ** 31, 2 ** 32 - 1, 2 ** 53 - 1, NaN, { valueOf: () => 1_000_000 }]) { expression.lastIndex = lastIndex; results.push(expression.exec("xxxab") === null || true); }
				} catch (error) { results.push(error instanceof Error); }
				const changing = /a/g; changing.exec = () => { changing.lastIndex = 2 ** 32; return { index: 2 ** 31, 0: "x".repeat(10), length: 1 }; };
				let rounds = 0; changing.exec = () => (rounds++ < 3 ? { index: 2 ** 31 - 1, 0: "", length: 2 ** 31 - 1 > 100 ? 100 : 1 } : null);
				try { results.push(typeof "abc".replace(changing, "$1$99$&$'") === "string"); } catch (error) { results.push(error instanceof Error); }
				return results.every((result) => result === true);
			}`,
		check: gives(true),
	},
	{
		name: "Atomics.wait holds no thread beyond the deadline",
		script:
			"export default function () { try { return Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0); } catch (error) { return error.name; } }",
		run: { limits: { maxWallTimeMs: 400 } },
		check: ({ status, output, error }) => {
			if (status === "succeeded") expect(output).toMatch(/Error$/);
			else expect({ status, code: error?.code }).toEqual({ status: "timed-out", code: "wall-time-exceeded" });
		},
	},
	{
		name: "a shared buffer reaches nobody: posting, cloning and storing it are refused or copy it",
		script: `export default async function () {
				if (typeof SharedArrayBuffer === "undefined") return [0, "undefined", true];
				const shared = new SharedArrayBuffer(8), bytes = new Uint8Array(shared);
				let cloned; try { cloned = structuredClone(shared); } catch (error) { cloned = error; }
				await cronium.setVariable("shared", bytes).catch(() => {});
				bytes[0] = 42;
				const stored = await cronium.getVariable("shared");
				return [stored?.[0] ?? 0, typeof globalThis.postMessage, true];
			}`,
		check: gives([0, "undefined", true]),
	},
]);
