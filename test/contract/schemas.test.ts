import { Ajv2020 } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { describe, expect, it } from "vitest";
import { decodeArguments } from "../../host/contract/encode.ts";
import { operationById, operations } from "../../host/contract/generated/operations.ts";
import { type SchemaName, schemas } from "../../host/contract/generated/schemas.ts";
import { requireKey } from "../../host/contract/key.ts";
import { resolveLimits } from "../../host/contract/limits.ts";

const ajv = new Ajv2020({ strict: true, allErrors: true });
formats.default(ajv);
for (const schema of Object.values(schemas)) ajv.addSchema(schema);

function accepts(name: SchemaName, value: unknown): boolean {
	const validate = ajv.getSchema(schemas[name].$id);
	if (!validate) throw new Error(`${name} does not compile.`);
	return validate(value) as boolean;
}

function succeeds(call: () => unknown): boolean {
	try {
		call();
		return true;
	} catch {
		return false;
	}
}

describe("the JSON Schemas", () => {
	it("compile strictly, references included, and have examples that they accept", () => {
		for (const [name, schema] of Object.entries(schemas)) {
			expect(ajv.getSchema(schema.$id), name).toBeTypeOf("function");
			for (const example of "examples" in schema ? schema.examples : [])
				expect(accepts(name as SchemaName, example), name).toBe(true);
		}
	});

	it("are there for the parameters and the result of every operation", () => {
		for (const { id, parameters, result, resultSchema } of operations) {
			expect(schemas).toHaveProperty([`${id}.parameters`]);
			for (const { schema } of parameters) expect(schemas).toHaveProperty([schema]);
			expect(resultSchema === undefined).toBe(result === "none");
			if (resultSchema) expect(schemas).toHaveProperty([resultSchema]);
		}
	});

	it.each([
		"k",
		"a/b",
		"",
		".",
		"..",
		"...",
		"a.b",
		" ",
		"\u0000",
		"a\nb",
		"\n",
		"k\n",
		"\u007f",
		"\u0085",
		"\u009f",
		"\u00a0",
		"é",
		"🦀",
	])("take %j for a key exactly when the helpers do", (key) => {
		expect(accepts("Key", key)).toBe(succeeds(() => requireKey(key, resolveLimits())));
	});

	it("count the characters of a key as the helpers do", () => {
		for (const [key, valid] of [
			["🦀".repeat(255), true],
			["🦀".repeat(256), false],
			["x".repeat(256), false],
		] as const) {
			expect(accepts("Key", key)).toBe(valid);
			expect(succeeds(() => requireKey(key, resolveLimits()))).toBe(valid);
		}
	});

	it.each([
		[{}, true],
		[{ ifVersion: "1" }, true],
		[{ ifVersion: 1 }, false],
		[{ ifVersion: null }, false],
		[{ ifAbsent: true, expiresInMs: 1 }, true],
		[{ expiresInMs: 1.5 }, false],
		[{ expiresInMs: "1" }, false],
		[{ other: 1 }, false],
		[[], false],
		["", false],
	])("and the codec agree on %j as options of a write", (options, valid) => {
		expect(accepts("SetOptions", options)).toBe(valid);
		expect(succeeds(() => decodeArguments(operationById("variables.set"), JSON.stringify(["k", options]), "1"))).toBe(valid);
	});

	it("say what WIT cannot: ranges, and that the fields of a log line are an object", () => {
		expect(accepts("SetOptions", { expiresInMs: 0 })).toBe(false);
		expect(accepts("ListOptions", { limit: 0 })).toBe(false);
		expect(accepts("ListOptions", { limit: 10_000 })).toBe(true);
		expect(accepts("ListOptions", { limit: 10_001 })).toBe(false);
		expect(accepts("log.write.fields", { a: 1 })).toBe(true);
		expect(accepts("log.write.fields", [1])).toBe(false);
		expect(accepts("Timestamp", "2026-11-22T19:58:36.123Z")).toBe(true);
		expect(accepts("Timestamp", "2026-11-22T19:58:36Z")).toBe(false);
		expect(accepts("Timestamp", "2026-02-30T19:58:36.123Z")).toBe(false);
	});

	it("let what is returned gain members later, but not what is given", () => {
		const metadata = {
			version: "1",
			createdAt: "2026-11-22T19:58:36.123Z",
			updatedAt: "2026-11-22T19:58:36.123Z",
			updatedBy: "a",
			size: 1,
		};
		expect(accepts("Entry", { value: null, metadata: { ...metadata, labels: [] } })).toBe(true);
		expect(accepts("Entry", { metadata })).toBe(false);
		expect(accepts("variables.set.parameters", { key: "k", value: false })).toBe(true);
		expect(accepts("variables.set.parameters", { key: "k", value: false, vlaue: 1 })).toBe(false);
		expect(accepts("variables.set.parameters", { key: "k" })).toBe(false);
	});

	it("tell none from a value by null", () => {
		expect(accepts("condition.get.result", null)).toBe(true);
		expect(accepts("condition.get.result", false)).toBe(true);
		expect(accepts("condition.get.result", 0)).toBe(false);
		expect(accepts("variables.get-entry.result", null)).toBe(true);
	});
});
