import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { describe, expect, it } from "vitest";
import { requireDigest, rewriteModule } from "../../../host/sandbox/wasm-module.ts";

const bytes = readFileSync(createRequire(import.meta.url).resolve("quickjs-wasi/quickjs.wasm"));
const imports = ["env", "memory"] as const;

/** What the API tells of a module, which the project's own declarations leave out. */
const api = WebAssembly.Module as unknown as {
	exports(module: WebAssembly.Module): { name: string; kind: string }[];
	imports(module: WebAssembly.Module): { module: string; name: string; kind: string }[];
	customSections(module: WebAssembly.Module, name: string): ArrayBuffer[];
};

describe("rewriteModule", () => {
	it("keeps the exports that are named and no others", () => {
		const { bytes: rewritten } = rewriteModule(bytes, { exports: ["qjs_init", "__stack_pointer"] });
		expect(api.exports(new WebAssembly.Module(rewritten)).map(({ name }) => name)).toEqual(["__stack_pointer", "qjs_init"]);
	});

	it("makes the memory an import that takes any maximum, and still asks for the least size", () => {
		const { bytes: rewritten, minimumPages } = rewriteModule(bytes, { exports: ["qjs_init"], memoryImport: imports });
		const module = new WebAssembly.Module(rewritten);
		expect(api.imports(module)).toContainEqual({ module: "env", name: "memory", kind: "memory" });
		expect(minimumPages).toBe(18);
		const nothing = (): number => 0;
		const functions = new Proxy({}, { get: () => nothing });
		const instantiate = (initial: number, maximum: number): WebAssembly.Instance => {
			const env = new Proxy(
				{},
				{ get: (_target, name) => (name === "memory" ? new WebAssembly.Memory({ initial, maximum }) : nothing) },
			);
			return new WebAssembly.Instance(module, { env, wasi_snapshot_preview1: functions });
		};
		expect(() => instantiate(18, 20)).not.toThrow();
		expect(() => instantiate(18, 4096)).not.toThrow();
		expect(() => instantiate(17, 4096)).toThrow(/memory/);
	});

	it("names an export that the module has not", () => {
		expect(() => rewriteModule(bytes, { exports: ["qjs_init", "qjs_fly"] })).toThrow("does not export qjs_fly");
	});

	it("refuses a module that is cut off", () => {
		expect(() => rewriteModule(bytes.subarray(0, 1000), { exports: [] })).toThrow("in the middle of a section");
	});
});

describe("requireDigest", () => {
	it("refuses other bytes than the reviewed ones and says what to do", () => {
		const other = Uint8Array.from(bytes);
		other[1000] = (other[1000] as number) ^ 1;
		const reviewed = "d4c9375f2b1ca4dc95f72c8aa2982a7a9951ac8011490d79c6582df732b4bbd9";
		expect(() => requireDigest(bytes, "quickjs.wasm", reviewed)).not.toThrow();
		expect(() => requireDigest(other, "quickjs.wasm", reviewed)).toThrow(
			/^quickjs\.wasm has the SHA-256 [0-9a-f]{64}; the reviewed one is d4c9.*review/,
		);
	});
});
