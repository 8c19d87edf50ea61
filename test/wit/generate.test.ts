import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { describeStale, generateContract } from "../../wit/generate.ts";
import { operationBindings } from "../../wit/operations.ts";

const root = join(import.meta.dirname, "../..");
const wit = join(root, "wit");
const generator = join(wit, "generate.ts");

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "cronium-generate-"));
	for (const file of readdirSync(wit).filter((name) => name.endsWith(".wit"))) cpSync(join(wit, file), join(directory, file));
});
afterEach(() => rmSync(directory, { recursive: true }));

function edit(file: string, from: string, to: string): void {
	const text = readFileSync(join(directory, file), "utf8");
	expect(text).toContain(from);
	writeFileSync(join(directory, file), text.replace(from, to));
}

function withoutRow(id: string) {
	const { [id]: _, ...rest } = operationBindings;
	return rest;
}

describe("npm run generate", () => {
	it("makes the same bytes twice, wherever the files are", () => {
		expect(generateContract(directory)).toEqual(generateContract(wit));
	});

	it("finds the tree fresh, in any directory, language and time zone", () => {
		for (const env of [
			{ LC_ALL: "C", TZ: "UTC" },
			{ LC_ALL: "tr_TR.UTF-8", LANG: "tr_TR.UTF-8", TZ: "Pacific/Chatham" },
		])
			execFileSync(process.execPath, [generator, "--check"], { cwd: tmpdir(), env: { ...process.env, ...env }, stdio: "pipe" });
	});

	it("--check names each file that a changed doc comment made stale, shows where, and writes nothing", () => {
		edit("io.wit", "Returns the input of the run", "Returns what went into the run");
		const before = generateContract(wit).map(({ path }) => readFileSync(join(root, path), "utf8"));
		const { status, stderr } = spawnSync(process.execPath, [generator, "--check", "--wit", directory], { encoding: "utf8" });
		expect(status).toBe(1);
		expect(stderr).toContain("host/contract/generated/types.ts differs at line ");
		expect(stderr).toMatch(/^ {2}- .*Returns the input of the run/m);
		expect(stderr).toMatch(/^ {2}\+ .*Returns what went into the run/m);
		expect(stderr).toContain("host/contract/generated/operations.ts differs");
		expect(stderr).toContain("guest-sdks/openapi.json differs");
		expect(stderr).not.toContain("codec.ts");
		expect(generateContract(wit).map(({ path }) => readFileSync(join(root, path), "utf8"))).toEqual(before);
	});

	it("names files that are missing and files that nothing generates any more", () => {
		const files = generateContract(wit);
		for (const { path, text } of files) {
			cpSync(join(root, path), join(directory, path));
			writeFileSync(join(directory, path), text);
		}
		expect(describeStale(files, directory)).toEqual([]);
		rmSync(join(directory, "guest-sdks/openapi.json"));
		writeFileSync(join(directory, "host/contract/generated/old.ts"), "");
		expect(describeStale(files, directory)).toEqual([
			"guest-sdks/openapi.json is missing",
			"host/contract/generated/old.ts is not generated any more",
		]);
	});

	it("ends with the place of a mistake, without a stack", () => {
		edit("log.wit", "  write: func(", "  write func(");
		const { status, stderr } = spawnSync(process.execPath, [generator, "--wit", directory], { encoding: "utf8" });
		expect(status).toBe(1);
		expect(stderr).toMatch(/^wit\/log\.wit:\d+:9: expected ":", found "func"\n$/);
	});
});

describe("the table of operations", () => {
	it("must have a row for every function", () => {
		expect(() => generateContract(wit, withoutRow("log.write"))).toThrow(
			/^wit\/log\.wit:\d+:3: the function log\.write has no row in wit\/operations\.ts$/,
		);
	});

	it("must have a function for every row", () => {
		const row = operationBindings["io.get-input"];
		if (!row) throw new Error("The row is gone.");
		expect(() => generateContract(wit, { ...operationBindings, "io.get-nothing": row })).toThrow(
			'wit/operations.ts has a row "io.get-nothing", but the WIT has no such function',
		);
	});

	it("must place every parameter, and every field of an options record, in HTTP", () => {
		edit(
			"variables.wit",
			"    /// Write only if the key has this version now.\n",
			"    /// New.\n    if-size: option<u64>,\n    /// Old.\n",
		);
		expect(() => generateContract(directory)).toThrow('variables.set says nothing about where "options.if-size" is in HTTP');
		const increment = operationBindings["variables.increment"];
		if (!increment || "sameAs" in increment.http) throw new Error("The row is gone.");
		const http = { ...increment.http, parameters: { ...increment.http.parameters, wrong: { in: "body" as const } } };
		expect(() => generateContract(wit, { ...operationBindings, "variables.increment": { ...increment, http } })).toThrow(
			'variables.increment has no parameter "wrong"',
		);
	});

	it("must have options behind all other parameters, where the sandbox of Python puts them", () => {
		edit(
			"variables.wit",
			"delete: func(key: key, options: option<delete-options>)",
			"delete: func(options: option<delete-options>, key: key)",
		);
		expect(() => generateContract(directory)).toThrow("options that are not the last parameter (variables.delete)");
	});

	it("must not give two operations one name or one route", () => {
		const input = operationBindings["io.get-input"];
		const condition = operationBindings["condition.get"];
		if (!input || !condition || "sameAs" in input.http || "sameAs" in condition.http) throw new Error("The rows are gone.");
		const renamed = { ...condition, sdkName: "getInput" };
		expect(() => generateContract(wit, { ...operationBindings, "condition.get": renamed })).toThrow(
			"io.get-input and condition.get share the SDK name getInput",
		);
		const moved = { ...condition, http: { ...condition.http, path: "/v1/input" } };
		expect(() => generateContract(wit, { ...operationBindings, "condition.get": moved })).toThrow(
			"io.get-input and condition.get share the route GET /v1/input",
		);
	});
});
