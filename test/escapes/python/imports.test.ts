import { afterAll, beforeAll, expect, test, vi } from "vitest";
import { GuestStopped } from "../../../host/sandbox/guest.ts";
import { readEngine } from "../../../host/sandbox/image-file.ts";
import { GuestExited, PythonGuest } from "../../../host/sandbox/python/guest.ts";
import { RefusedImport, sealImports } from "../../../host/sandbox/python/imports.ts";
import { KeptImage } from "../../../host/sandbox/python/kept-image.ts";
import { placePythonImage } from "../../python-image.ts";
import { temporaryDirectory } from "../../store/directory.ts";
import { readModule } from "./wasm-reader.ts";

type Imported = (...args: (number | bigint)[]) => unknown;

/** An interpreter of the kept image, and the functions that its module was given: the whole wall between a guest and the host. */
let guest: PythonGuest;
let image: KeptImage;
let wall: readonly (readonly [name: string, call: Imported])[];
let parameters: ReturnType<typeof readModule>["importedParameters"];

beforeAll(async () => {
	const directory = temporaryDirectory();
	const file = await placePythonImage(directory.path);
	const kept = readEngine(file);
	if (!kept) throw new Error("There is no image.");
	parameters = readModule(kept.binary).importedParameters;
	const module = new WebAssembly.Module(kept.binary);
	const instances = vi.spyOn(WebAssembly, "Instance");
	image = new KeptImage(file);
	directory.remove();
	// An instance that has grown is not used again, so that this one must not.
	guest = PythonGuest.create({ ...image, module, maximumPages: image.pages }, image);
	const given = instances.mock.calls[0]?.[1] as WebAssembly.Imports;
	instances.mockRestore();
	wall = Object.values(given).flatMap((members) =>
		Object.entries(members).filter((entry): entry is [string, Imported] => typeof entry[1] === "function"),
	);
}, 120_000);
afterAll(() => image[Symbol.dispose]());

/** Numbers at which system calls go wrong: ends of the memory and of types, addresses without alignment, small counts, large lengths. */
const numbers = [
	0, 1, 2, 3, 5, 64, 255, 4096, -1, -100, 0x7fff_ffff, -0x8000_0000, 33_554_428, 33_554_431, 33_554_432, 12_345_677, 20_000_000,
];
const rounds = 200;

function* hostileArguments(types: readonly string[]): Generator<(number | bigint)[]> {
	let state = 1;
	const next = (): number => {
		state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
		return numbers[(state >>> 8) % numbers.length] as number;
	};
	for (let round = 0; round < rounds; round++)
		yield types.map((type) => {
			if (type === "i64") return BigInt.asIntN(64, BigInt(next()) << BigInt((round % 3) * 31));
			return type === "i32" ? next() : next() / 3;
		});
}

/** What may be thrown through a guest; whatever else comes is a fault of the host. */
const isContained = (error: unknown): boolean =>
	error instanceof RefusedImport ||
	error instanceof GuestExited ||
	error instanceof GuestStopped ||
	error instanceof WebAssembly.RuntimeError;

test("every function that the module imports takes any arguments: it answers, fails as a system call, or ends the run", () => {
	const before = process.memoryUsage().rss;
	const faults: string[] = [];
	for (const [name, call] of wall)
		for (const args of hostileArguments(parameters.get(name) ?? [])) {
			try {
				const answer = call(...args);
				if (answer !== undefined && answer !== null && typeof answer !== "number" && typeof answer !== "bigint")
					faults.push(`${name}(${args}) answers ${typeof answer}`);
			} catch (error) {
				if (!isContained(error)) faults.push(`${name}(${args}) throws ${error}`);
			}
		}
	expect(wall.length).toBeGreaterThan(260);
	expect(faults).toEqual([]);
	expect(process.memoryUsage().rss - before).toBeLessThan(128 * 1024 * 1024);
});

test("after all of that a restored interpreter runs a script", async () => {
	guest.restore();
	const printed: string[] = [];
	guest.host = {
		call: () => "",
		wait: () => undefined,
		poll: () => undefined,
		write: (_, bytes) => void printed.push(Buffer.from(bytes).toString()),
		seed: new Uint8Array(24),
	};
	guest.files.space.allow({ maxBytes: 10_000, maxEntries: 10 });
	guest.files.put("/script/after.py", Buffer.from("import os; print(os.getcwd(), os.listdir('/tmp'), os.umask(0o22))"));
	expect(JSON.parse(await guest.run(JSON.stringify({ name: "after.py", arguments: [], wheels: [] })))).toEqual({
		exitCode: 0,
		failure: null,
	});
	expect(printed.join("")).toBe("/script [] 18\n");
});

test("a module that imports one function more is refused, and the name is told", () => {
	const unknown = new WebAssembly.Module(
		// (module (import "env" "surprise" (func)))
		Buffer.from("0061736d01000000" + "010401600000" + "021001" + "03656e76" + "087375727072697365" + "0000", "hex"),
	);
	expect(() => sealImports(unknown, {}, new WebAssembly.Memory({ initial: 1 }))).toThrow(/env\.surprise/);
});
