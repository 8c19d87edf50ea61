import { describe, expect, it } from "vitest";
import { decodeArguments, encodeError, encodeResult } from "../../host/contract/encode.ts";
import { RuntimeError } from "../../host/contract/errors.ts";
import { guestOperations } from "../../host/contract/generated/guest-operations.ts";
import { type OperationId, operationById, operations } from "../../host/contract/generated/operations.ts";
import { errorCodes, scopes } from "../../host/contract/generated/types.ts";

const decode = (id: OperationId, params: unknown, body?: string) =>
	decodeArguments(operationById(id), typeof params === "string" ? params : JSON.stringify(params), body);

function refusal(call: () => unknown): string {
	try {
		call();
	} catch (error) {
		expect(error).toBeInstanceOf(RuntimeError);
		expect((error as RuntimeError).code).toBe("invalid");
		return (error as RuntimeError).message;
	}
	throw new Error("It was accepted.");
}

describe("decodeArguments", () => {
	it("gives the arguments in the order of the method, the JSON text as it came", () => {
		expect(decode("variables.set", ["a/b", { ifVersion: "7", expiresInMs: 1 }], "[1.0, 2 ]")).toEqual([
			"a/b",
			"[1.0, 2 ]",
			{ ifVersion: "7", expiresInMs: 1 },
		]);
		expect(decode("log.write", ["warn", "Look"], '{"a":1}')).toEqual(["warn", "Look", '{"a":1}']);
		expect(decode("io.set-output", [], "null")).toEqual(["null"]);
		expect(decode("condition.set", [false])).toEqual([false]);
		expect(decode("variables.increment", ["n", -0.5])).toEqual(["n", -0.5]);
		expect(decode("io.get-input", [])).toEqual([]);
	});

	it("takes a text behind = as the only parameter, whatever it holds", () => {
		for (const text of ["key", "", "=", "[]", '["a","b"]', '"', "\\", "a\n", "é😀"]) {
			expect(decode("variables.get", `=${text}`)).toEqual([text]);
			expect(decode("variables.set", `=${text}`, "1")).toEqual([text, "1", undefined]);
		}
		expect(refusal(() => decode("variables.get", "=\ud800"))).toContain("key has a lone surrogate");
		expect(refusal(() => decode("condition.set", "=true"))).toContain("value is a string; it must be true or false");
		expect(refusal(() => decode("variables.list", "=prefix"))).toContain("options is a string; it must be an object");
		expect(refusal(() => decode("io.get-input", "=x"))).toContain("The parameters of getInput are not JSON.");
		expect(refusal(() => decode("log.write", "=info"))).toContain("message is missing");
	});

	it("takes a missing optional parameter as undefined, and null for missing options", () => {
		expect(decode("variables.set", ["k"], "0")).toEqual(["k", "0", undefined]);
		expect(decode("variables.set", ["k", null], "0")).toEqual(["k", "0", undefined]);
		expect(decode("variables.delete", ["k"])).toEqual(["k", undefined]);
		expect(decode("variables.list", [])).toEqual([undefined]);
		expect(decode("variables.list", [{}])).toEqual([{}]);
		expect(decode("variables.increment", ["k"])).toEqual(["k", undefined]);
		expect(decode("log.write", ["info", ""])).toEqual(["info", "", undefined]);
	});

	it("gives as many arguments as the method has parameters before the call context", () => {
		const params: Partial<Record<OperationId, unknown[]>> = { "condition.set": [true], "log.write": ["info", "x"] };
		for (const { id, parameters } of operations) {
			const keyed = parameters.some(({ name }) => name === "key") ? ["k"] : [];
			const body = parameters.some(({ kind }) => kind === "json") ? "{}" : undefined;
			expect(decode(id, params[id] ?? keyed, body)).toHaveLength(parameters.length);
		}
	});

	it.each<[string, OperationId, unknown, string]>([
		["a missing key", "variables.get", [], "key is missing; it must be a string."],
		["a number as key", "variables.get", [5], "key is a number; it must be a string."],
		["an object as key", "variables.get", [{ toString: "x" }], "key is an object; it must be a string."],
		["an array as key", "variables.get", [["k"]], "key is an array; it must be a string."],
		[
			"null as key",
			"variables.get",
			[null],
			"key is null (which is also what NaN and Infinity become in JSON); it must be a string.",
		],
		["a lone surrogate in a key", "variables.get", '["\\ud800"]', "key has a lone surrogate; it must be valid Unicode."],
		["a parameter too many", "variables.get", ["k", "l"], "getVariable got 2 parameters; it takes at most 1."],
		["a parameter where there is none", "io.get-input", [null], "getInput got 1 parameters; it takes at most 0."],
		[
			"parameters that are no array",
			"variables.get",
			{ 0: "k", length: 1 },
			"The parameters of getVariable are not a JSON array.",
		],
		["parameters that are not JSON", "variables.get", '["k"', "The parameters of getVariable are not JSON."],
		["options that are an array", "variables.list", [[]], "options is an array; it must be an object."],
		["options that are a text", "variables.list", ["a"], "options is a string; it must be an object."],
		[
			"a misspelt option",
			"variables.list",
			[{ Limit: 3 }],
			'options has the unknown field "Limit"; it may have prefix, cursor, limit.',
		],
		["a limit that is a text", "variables.list", [{ limit: "3" }], "options.limit is a string; it must be a whole number."],
		[
			"a fraction as limit",
			"variables.list",
			[{ limit: 1.5 }],
			"options.limit is 1.5; it must be a whole number from 0 to 4294967295.",
		],
		[
			"a negative limit",
			"variables.list",
			[{ limit: -1 }],
			"options.limit is -1; it must be a whole number from 0 to 4294967295.",
		],
		[
			"an option that NaN became null in",
			"variables.list",
			[{ limit: Number.NaN }],
			"options.limit is null (which is also what NaN and Infinity become in JSON); it must be a whole number.",
		],
		[
			"an increment by NaN",
			"variables.increment",
			["k", Number.NaN],
			"by is null (which is also what NaN and Infinity become in JSON); it must be a finite number.",
		],
		["an increment by 1e999", "variables.increment", '["k",1e999]', "by is too large for a number."],
		["an increment by a text", "variables.increment", ["k", "1"], "by is a string; it must be a finite number."],
		["a condition that is not a boolean", "condition.set", [0], "value is a number; it must be true or false."],
		["an unknown level", "log.write", ["fatal", "x"], "level must be one of debug, info, warn, error."],
		["a level out of a prototype", "log.write", ["constructor", "x"], "level must be one of debug, info, warn, error."],
		["a message that is not a text", "log.write", ["info", {}], "message is an object; it must be a string."],
	])("refuses %s with a message that says what is allowed", (_, id, params, message) => {
		expect(refusal(() => decode(id, params))).toBe(message);
	});

	it("refuses unknown and wrong fields of a write, whose null must not turn off a condition", () => {
		const write = (options: unknown) => refusal(() => decode("variables.set", ["k", options], "1"));
		expect(write({ ifVersion: 3 })).toBe("options.ifVersion is a number; it must be a string.");
		expect(write({ ifVersion: null })).toContain("options.ifVersion is null");
		expect(write({ ifAbsent: "false" })).toBe("options.ifAbsent is a string; it must be true or false.");
		expect(write({ expiresInMs: 1e300 })).toBe(
			"options.expiresInMs is 1e+300; it must be a whole number from 0 to 9007199254740991.",
		);
		expect(write({ if_version: "1" })).toContain('the unknown field "if_version"');
	});

	it("refuses a missing JSON text and one that nothing would read", () => {
		expect(refusal(() => decode("variables.set", ["k"]))).toBe("value is missing; it must be a JSON value.");
		expect(refusal(() => decode("io.set-output", []))).toBe("value is missing; it must be a JSON value.");
		expect(refusal(() => decode("variables.get", ["k"], "1"))).toBe("getVariable takes no JSON value.");
	});

	it.each(["__proto__", "constructor", "toString", "hasOwnProperty"])("refuses the member %s and pollutes nothing", (name) => {
		for (const id of ["variables.list", "variables.delete"] as const) {
			const params = id === "variables.list" ? "" : '"k",';
			const message = refusal(() => decode(id, `[${params}{${JSON.stringify(name)}:{"limit":1,"ifVersion":"1"}}]`));
			expect(message).toContain(`options has the unknown field "${name}"`);
		}
		expect(({} as Record<string, unknown>).limit).toBeUndefined();
		expect(({} as Record<string, unknown>).ifVersion).toBeUndefined();
	});

	it("reads no option from a prototype", () => {
		let own: string[] = [];
		Object.defineProperty(Object.prototype, "limit", { value: 7, configurable: true, enumerable: true, writable: true });
		try {
			own = Object.keys(decode("variables.list", [{}])[0] as object);
		} finally {
			delete (Object.prototype as { limit?: number }).limit;
		}
		expect(own).toEqual([]);
	});

	it("shows an unknown field's name short and without control or bidirectional characters", () => {
		const message = refusal(() => decode("variables.list", [{ [`\u001b[2J\u202e${"x".repeat(10_000)}`]: 1 }]));
		expect(message).toMatch(/^[\x20-\x7e…]+$/);
		expect(message.length).toBeLessThan(250);
	});

	it("mends a lone surrogate in a log message, which is for people", () => {
		expect(decode("log.write", '["info","half \\ud83d"]')).toEqual(["info", "half \ufffd", undefined]);
	});

	it("takes a very long message", () => {
		const message = `"\\${"a,[{".repeat(500_000)}\\`;
		expect(decode("log.write", ["info", message])).toEqual(["info", message, undefined]);
	});

	it.each([
		["objects", "{},"],
		["arrays", "["],
		["numbers", "1,"],
		["strings", '"",'],
	])("refuses a million %s before they are parsed", (_, part) => {
		const filled = `[${part.repeat(1_000_000)}`;
		expect(refusal(() => decode("variables.get", filled))).toBe("The parameters of getVariable hold too many values.");
	});

	it("refuses a long text that is not JSON", () => {
		expect(refusal(() => decode("variables.get", `["${"a".repeat(100_000)}`))).toBe(
			"The parameters of getVariable are not JSON.",
		);
		expect(refusal(() => decode("variables.get", `["${"\\".repeat(100_001)}"]`))).toBe(
			"The parameters of getVariable are not JSON.",
		);
	});
});

describe("encodeResult", () => {
	const metadata = { version: "1", createdAt: "a", updatedAt: "b", updatedBy: "c", size: 3 };

	it("splices JSON texts in as they were stored", () => {
		expect(encodeResult(operationById("variables.get"), "1.0")).toBe("1.0");
		expect(encodeResult(operationById("variables.get-entry"), { value: '{"a": 1e2}', metadata })).toBe(
			`{"value":{"a": 1e2},"metadata":${JSON.stringify(metadata)}}`,
		);
	});

	it("gives nothing for undefined and keeps falsy values", () => {
		for (const operation of operations) expect(encodeResult(operation, undefined)).toBe("");
		expect(encodeResult(operationById("condition.get"), false)).toBe("false");
		expect(encodeResult(operationById("variables.increment"), 0)).toBe("0");
		expect(encodeResult(operationById("io.get-input"), "null")).toBe("null");
		expect(encodeResult(operationById("variables.get"), '""')).toBe('""');
	});

	it("writes other results as JSON, and none for a function that returns nothing", () => {
		expect(encodeResult(operationById("variables.set"), "12")).toBe('"12"');
		expect(encodeResult(operationById("variables.list"), { items: [] })).toBe('{"items":[]}');
		expect(encodeResult(operationById("log.write"), 5)).toBe("");
	});
});

describe("encodeError", () => {
	it("writes the code, the message and the facts of the contract", () => {
		const limit = { name: "maxValueBytes", value: 1, unit: "bytes" };
		expect(JSON.parse(encodeError(new RuntimeError("too-large", "Too large.", { limit })))).toEqual({
			code: "too-large",
			message: "Too large.",
			details: { limit },
		});
		expect(
			JSON.parse(encodeError(new RuntimeError("conflict", "No.", { currentVersion: "3", retryAfterMs: 0 }))).details,
		).toEqual({
			currentVersion: "3",
			retryAfterMs: 0,
		});
	});

	it("tells nothing of what went wrong inside the host", () => {
		const hostile = new Error("ENOENT /home/operator/data", { cause: new RuntimeError("denied", "secret") });
		const internal = { code: "internal", message: "The runtime failed to answer this call.", details: {} };
		const trap = new Proxy(
			{},
			{
				get: () => {
					throw new Error("trap");
				},
			},
		);
		for (const error of [hostile, "text", undefined, null, { code: "denied", message: "/etc" }, trap])
			expect(JSON.parse(encodeError(error))).toEqual(internal);
		const stack = encodeError(new RuntimeError("invalid", "x", { stack: "/host/path", secret: 1 } as object));
		expect(JSON.parse(stack)).toEqual({ code: "invalid", message: "x", details: {} });
	});
});

describe("the operations table", () => {
	it("finds an operation by its id and nothing by other names", () => {
		for (const operation of operations) expect(operationById(operation.id)).toBe(operation);
		for (const name of ["variables.nothing", "__proto__", "constructor", ""]) expect(operationById(name)).toBeUndefined();
	});

	it("is the table that guests have, row by row: they call an operation by its index", () => {
		expect(guestOperations).toEqual(
			operations.map(({ sdkName, parameters, result }) => ({
				sdkName,
				parameters: parameters.map(({ name, kind, required }) => ({ name, kind, required })),
				result,
			})),
		);
	});

	it("uses every scope, and only errors of the closed set", () => {
		expect([...new Set(operations.map(({ scope }) => scope))].sort()).toEqual([...scopes].sort());
		for (const { errors } of operations) for (const code of errors) expect(errorCodes).toContain(code);
		expect(operations.filter(({ effect, scope }) => effect !== scope.endsWith(":write"))).toEqual([]);
	});
});
