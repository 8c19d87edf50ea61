import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { makeOperatorCredential, operatorCredentialFile, readOperatorCredential } from "../../host/tokens/operator-credential.ts";

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "cronium-operator-"));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

test("it is made at the first start, of 256 random bits, and only its owner can read it", () => {
	const umask = process.umask(0);
	try {
		const isOperator = readOperatorCredential(directory);
		const file = operatorCredentialFile(directory);
		const credential = readFileSync(file, "utf8").trim();
		expect(credential).toMatch(/^[\w-]{43}$/);
		expect(statSync(file).mode & 0o777).toBe(0o600);
		expect(isOperator(credential)).toBe(true);
		expect(readOperatorCredential(directory)(credential)).toBe(true);
	} finally {
		process.umask(umask);
	}
});

test("nothing else is it: no part, no other case, nothing longer, nothing", () => {
	const isOperator = readOperatorCredential(directory);
	const credential = readFileSync(operatorCredentialFile(directory), "utf8").trim();
	for (const other of [
		"",
		credential.slice(0, -1),
		`${credential}A`,
		`${credential}\n`,
		credential.toUpperCase(),
		"A".repeat(1_000_000),
	])
		expect(isOperator(other)).toBe(false);
});

test("a new one takes the place of the one before", () => {
	readOperatorCredential(directory);
	const before = readFileSync(operatorCredentialFile(directory), "utf8").trim();
	makeOperatorCredential(directory);
	const isOperator = readOperatorCredential(directory);
	expect(isOperator(before)).toBe(false);
	expect(isOperator(readFileSync(operatorCredentialFile(directory), "utf8").trim())).toBe(true);
});

test("a file of one's own is taken, and one that is too short or not there is refused without its text", () => {
	const file = join(directory, "mine");
	writeFileSync(file, `  ${"s".repeat(22)}\n`);
	expect(readOperatorCredential(directory, file)("s".repeat(22))).toBe(true);
	writeFileSync(file, "too-short-secret");
	expect(() => readOperatorCredential(directory, file)).toThrow(
		`The operator's credential ${file} has 16 characters; it needs 22.`,
	);
	rmSync(file);
	expect(() => readOperatorCredential(directory, file)).toThrow(`The operator's credential ${file} cannot be read: ENOENT.`);
});
