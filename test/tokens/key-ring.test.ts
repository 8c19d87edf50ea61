import { chmodSync, existsSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import { createHost } from "../../host/index.ts";
import { KeyRing, keysDirectory, listKeys, rotateKeys } from "../../host/tokens/key-ring.ts";
import { openDoor } from "../http/door.ts";

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "cronium-keys-"));
});
afterEach(() => {
	vi.useRealTimers();
	rmSync(directory, { recursive: true, force: true });
});

const day = 24 * 60 * 60_000;
const files = () => readdirSync(join(directory, "keys"));

test("the first key is made once, however many want it at one time, and only its owner can read it", async () => {
	const before = process.umask(0);
	try {
		const ring = new KeyRing(directory);
		const signers = await Promise.all(Array.from({ length: 50 }, () => ring.signer()));
		expect(new Set(signers.map(({ id }) => id)).size).toBe(1);
		expect(files()).toEqual([`token-${signers[0]?.id}.json`]);
		expect(statSync(join(directory, "keys")).mode & 0o777).toBe(0o700);
		expect(statSync(join(directory, "keys", files()[0] as string)).mode & 0o777).toBe(0o600);
	} finally {
		process.umask(before);
	}
});

test("a ring that starts again has the key of the one before", async () => {
	const { id } = await new KeyRing(directory).signer();
	expect((await new KeyRing(directory).signer()).id).toBe(id);
	expect(await new KeyRing(directory).find(id)).toBeDefined();
});

test("a rotation signs with a new key, and the one before verifies until what it has signed has expired", async () => {
	const ring = new KeyRing(directory);
	const first = await ring.signer();
	const second = await rotateKeys(directory);
	await expect.poll(async () => (await ring.signer()).id, { timeout: 5_000 }).toBe(second.id);
	expect(await ring.find(first.id)).toBeDefined();
	expect(listKeys(directory)).toMatchObject([{ id: second.id }, { id: first.id, retiredAt: expect.any(Number) }]);
	vi.useFakeTimers({ toFake: ["Date"] });
	vi.setSystemTime(Date.now() + day / 2);
	const third = await rotateKeys(directory);
	expect(listKeys(directory).map(({ id }) => id)).toEqual([third.id, second.id, first.id]);
	vi.setSystemTime(Date.now() + day / 2 + 60_000);
	const fourth = await rotateKeys(directory);
	expect(listKeys(directory).map(({ id }) => id)).toEqual([fourth.id, third.id, second.id]);
});

test("tokens of before a rotation stay good, and new ones name the new key", async () => {
	await using door = await openDoor();
	const data = join(door.directory, "data");
	const run = await door.startRun();
	const { id } = await rotateKeys(data);
	const keyOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[0] as string, "base64url").toString()).kid;
	let latest = run.token;
	await expect
		.poll(
			async () => {
				latest = (await run.call("POST", "/v1/token")).body.token;
				return keyOf(latest);
			},
			{ timeout: 5_000, interval: 100 },
		)
		.toBe(id);
	for (const token of [run.token, latest])
		expect(await run.call("GET", "/v1/input", undefined, { authorization: `Bearer ${token}` })).toMatchObject({ status: 200 });
	await run.end();
});

test("a listing holds no secret, and a file that is half written or damaged is no key", async () => {
	const { id } = await rotateKeys(directory);
	const { key } = JSON.parse(readFileSync(join(keysDirectory(directory), `token-${id}.json`), "utf8"));
	expect(JSON.stringify(listKeys(directory))).not.toContain(key.d);
	writeFileSync(join(directory, "keys", ".token-draft"), "{");
	expect(listKeys(directory)).toHaveLength(1);
	writeFileSync(join(directory, "keys", "token-damaged-file.json"), `{"key":{"d":"${key.d}"`);
	const failure = await new KeyRing(directory).signer().catch((error: unknown) => error);
	expect(failure).toMatchObject({ code: "unavailable", message: expect.stringContaining("token-damaged-file.json is damaged.") });
	expect((failure as Error).message).not.toContain(key.d);
});

test("a key that cannot be made is told, takes no place of a token, and is made when it can be", async () => {
	await using door = await openDoor();
	const data = join(door.directory, "data");
	const run = await door.host.open({});
	// As root a mode hinders nobody: a file where the directory should be does.
	const keys = join(data, "keys");
	rmSync(keys, { recursive: true, force: true });
	writeFileSync(keys, "");
	for (let attempt = 0; attempt < 70; attempt++)
		await expect(door.tokens.issue(run, { audience: "bridge" })).rejects.not.toMatchObject({ code: "rate-limited" });
	rmSync(keys);
	await expect
		.poll(async () => (await door.tokens.issue(run, { audience: "bridge" }).catch(() => ({ token: "" }))).token, {
			timeout: 5_000,
		})
		.toMatch(/^ey/);
	expect(existsSync(keys)).toBe(true);
	run.end({ status: "succeeded" });
	await run.outcome;
});

test("keys that others could read are made private when the directory is opened", async () => {
	const { id } = await rotateKeys(directory);
	const file = join(directory, "keys", `token-${id}.json`);
	chmodSync(file, 0o644);
	await using _host = await createHost({ dataDirectory: directory, warm: false });
	expect(statSync(file).mode & 0o777).toBe(0o600);
});

test("what is no key of the ring by its name is not read", async () => {
	const { id } = await new KeyRing(directory).signer();
	writeFileSync(join(directory, "keys", "token-x-0x12-1.json"), "no key");
	expect((await new KeyRing(directory).signer()).id).toBe(id);
	expect(listKeys(directory)).toHaveLength(1);
});
