import { createHash } from "node:crypto";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { type CryptoKey, generateKeyPair, importJWK, type JWTHeaderParameters, type JWTPayload, SignJWT } from "jose";
import { afterAll, afterEach, beforeAll, describe, expect, test, vi } from "vitest";
import type { Audience } from "../../host/tokens/execution-tokens.ts";
import { type Door, type DoorRun, openDoor } from "../http/door.ts";

let door: Door;
let run: DoorRun;
/** The key that the host signs with, as somebody has it who has read its file. */
let stolen: CryptoKey;
let header: JWTHeaderParameters & { typ: string; kid: string };
let claims: JWTPayload;
beforeAll(async () => {
	door = await openDoor();
	run = await door.startRun();
	const [head, body] = run.token.split(".").map((part) => Buffer.from(part, "base64url").toString());
	header = JSON.parse(head as string);
	claims = JSON.parse(body as string);
	const keys = join(door.directory, "data", "keys");
	const [name] = readdirSync(keys).filter((file) => file.startsWith("token-"));
	stolen = (await importJWK(JSON.parse(readFileSync(join(keys, name as string), "utf8")).key, "Ed25519")) as CryptoKey;
});
afterEach(() => vi.useRealTimers());
afterAll(async () => {
	expect(door.internalErrors).toEqual([]);
	await run.end();
	await door[Symbol.asyncDispose]();
});

const identify = async (text: string, audience: Audience = "bridge") => door.tokens.identify(text, audience);
const bearer = (text: string) => ({ authorization: `Bearer ${text}` });
const encode = (part: object | string) =>
	Buffer.from(typeof part === "string" ? part : JSON.stringify(part)).toString("base64url");
const sign = (changedHeader: object, changedClaims: object, key: CryptoKey | Uint8Array = stolen) =>
	new SignJWT({ ...claims, ...changedClaims }).setProtectedHeader({ ...header, ...changedHeader }).sign(key);

test("a token says who it is for and no more than is needed: type, algorithm, issuer, audience, subject, id and times", () => {
	expect(header).toEqual({ alg: "Ed25519", typ: "cronium-execution+jwt", kid: expect.stringMatching(/^[\w-]{12}$/) });
	expect(claims).toEqual({
		iss: "urn:cronium:runtime",
		aud: "bridge",
		sub: run.id,
		jti: expect.stringMatching(/^[\w-]{22}$/),
		scope: expect.stringContaining("variables:read"),
		iat: expect.any(Number),
		nbf: claims.iat,
		exp: expect.any(Number),
	});
	expect((claims.exp as number) - (claims.iat as number)).toBeLessThanOrEqual(601);
});

test("its signature is checked once: after that it is known at once", async () => {
	const fresh = await door.startRun();
	const first = door.tokens.identify(fresh.token, "bridge");
	expect(first).toBeInstanceOf(Promise);
	expect(await first).toMatchObject({ run: { execution: { id: fresh.id } } });
	expect(door.tokens.identify(fresh.token, "bridge")).not.toBeInstanceOf(Promise);
	await fresh.end();
});

describe("a token that this host has not made", () => {
	/** What each of them is, and why it is refused as jose says it. */
	const forgeries: readonly [string, () => Promise<string> | string, object][] = [
		["alg none", () => `${encode({ ...header, alg: "none" })}.${encode(claims)}.`, { code: "ERR_JOSE_ALG_NOT_ALLOWED" }],
		[
			"alg None in another case",
			() => `${encode({ ...header, alg: "nOnE" })}.${encode(claims)}.`,
			{ code: "ERR_JOSE_ALG_NOT_ALLOWED" },
		],
		[
			"HS256 with the public key as its secret",
			async () => sign({ alg: "HS256" }, {}, createHash("sha256").update(header.kid).digest()),
			{ code: "ERR_JOSE_ALG_NOT_ALLOWED" },
		],
		["the algorithm by its older name", () => sign({ alg: "EdDSA" }, {}), { code: "ERR_JOSE_ALG_NOT_ALLOWED" }],
		[
			"another algorithm with a key of its own",
			async () => sign({ alg: "ES256" }, {}, (await generateKeyPair("ES256")).privateKey),
			{ code: "ERR_JOSE_ALG_NOT_ALLOWED" },
		],
		[
			"another key under the id of ours",
			async () => sign({}, {}, (await generateKeyPair("Ed25519")).privateKey),
			{ code: "ERR_JWS_SIGNATURE_VERIFICATION_FAILED" },
		],
		[
			"a key that it brings along",
			async () => {
				const { privateKey } = await generateKeyPair("Ed25519", { extractable: true });
				const { d: _d, ...jwk } = await crypto.subtle.exportKey("jwk", privateKey);
				return sign({ jwk, kid: "mine" }, {}, privateKey);
			},
			{ code: "ERR_JWS_SIGNATURE_VERIFICATION_FAILED" },
		],
		["no key id", () => sign({ kid: undefined }, {}), { code: "ERR_JWS_SIGNATURE_VERIFICATION_FAILED" }],
		["a key id that is a path", () => sign({ kid: "../../operator" }, {}), { code: "ERR_JWS_SIGNATURE_VERIFICATION_FAILED" }],
		["a key id that every object has", () => sign({ kid: "__proto__" }, {}), { code: "ERR_JWS_SIGNATURE_VERIFICATION_FAILED" }],
		[
			"a signature that was changed",
			() => `${run.token.slice(0, -8)}AAAAAAAA`,
			{ code: "ERR_JWS_SIGNATURE_VERIFICATION_FAILED" },
		],
		[
			"claims that were changed",
			() => run.token.replace(/\..*\./, `.${encode({ ...claims, sub: "another" })}.`),
			{ code: "ERR_JWS_SIGNATURE_VERIFICATION_FAILED" },
		],
		["no signature", () => run.token.replace(/[^.]*$/, ""), { code: "ERR_JWS_SIGNATURE_VERIFICATION_FAILED" }],
		["three dots", () => "..", { code: "ERR_JWS_INVALID" }],
		["text", () => "a-token", { code: "ERR_JWS_INVALID" }],
		["a header that is no JSON", () => `${encode("{")}.${encode(claims)}.AAAA`, { code: "ERR_JWS_INVALID" }],
		[
			"an extension that nobody knows",
			() =>
				new SignJWT(claims)
					.setProtectedHeader({ ...header, crit: ["urn:unknown"], "urn:unknown": true })
					.sign(stolen, { crit: { "urn:unknown": true } }),
			{ code: "ERR_JOSE_NOT_SUPPORTED" },
		],
	];
	test.each(forgeries)("is refused: %s", async (_name, forge, cause) => {
		const text = await forge();
		await expect(identify(text)).rejects.toMatchObject({
			code: "unauthenticated",
			message: "The execution token is not valid.",
			cause,
		});
		const answer = await run.call("GET", "/v1/input", undefined, bearer(text));
		// Why it was refused is nothing that a forger should learn.
		expect(answer).toMatchObject({ status: 401, body: { detail: "The execution token is not valid." } });
	});

	const claimed: readonly [string, object, object, object][] = [
		["no type", { typ: undefined }, {}, { claim: "typ" }],
		["the type of every JWT", { typ: "JWT" }, {}, { claim: "typ" }],
		["the type of an access token", { typ: "at+jwt" }, {}, { claim: "typ" }],
		["another issuer", {}, { iss: "urn:elsewhere" }, { claim: "iss" }],
		["no issuer", {}, { iss: undefined }, { claim: "iss" }],
		["no audience", {}, { aud: undefined }, { claim: "aud" }],
		["no subject", {}, { sub: undefined }, { claim: "sub" }],
		["no id", {}, { jti: undefined }, { claim: "jti" }],
		["no expiry", {}, { exp: undefined }, { claim: "exp" }],
		["an expiry that is a text", {}, { exp: "9999999999" }, { claim: "exp" }],
		["no beginning", {}, { nbf: undefined }, { claim: "nbf" }],
		["a beginning that is still to come", {}, { nbf: Math.floor(Date.now() / 1_000) + 3_600 }, { claim: "nbf" }],
		["no time of issue", {}, { iat: undefined }, { claim: "iat" }],
	];
	test.each(claimed)("is refused even when it is signed with our key: %s", async (_name, changedHeader, changedClaims, cause) => {
		const text = await sign(changedHeader, changedClaims);
		await expect(identify(text)).rejects.toMatchObject({ message: "The execution token is not valid.", cause });
		expect(await run.call("GET", "/v1/input", undefined, bearer(text))).toMatchObject({ status: 401 });
	});

	test("is refused even when it is signed with our key and all its claims are good, and only its scopes or its end are others", async () => {
		for (const changed of [{ scope: "input:read" }, { exp: 9_999_999_999 }, { jti: "unknown" }, { sub: "unknown" }]) {
			const answer = await run.call("GET", "/v1/input", undefined, bearer(await sign({}, changed)));
			expect(answer, JSON.stringify(changed)).toMatchObject({ status: 401, body: { code: "unauthenticated" } });
		}
	});

	test("is refused when it is for the id of a token with the run of another", async () => {
		const other = await door.startRun();
		const text = await sign({}, { sub: other.id });
		expect(await run.call("GET", "/v1/input", undefined, bearer(text))).toMatchObject({ status: 401 });
		await other.end();
	});

	test("is refused when another host has made it, whose keys are others", async () => {
		await using elsewhere = await openDoor();
		const theirs = await elsewhere.startRun();
		expect(await run.call("GET", "/v1/input", undefined, bearer(theirs.token))).toMatchObject({ status: 401 });
		await theirs.end();
	});

	test("is refused when it is longer than any that is made, before it is decoded", async () => {
		const long = `${run.token}${"A".repeat(4_096)}`;
		await expect(identify(long)).rejects.toMatchObject({ message: "The execution token is too long." });
		expect(await run.call("GET", "/v1/input", undefined, bearer(long))).toMatchObject({ status: 401 });
	});
});

test("one token is one text: its signature spelt in another way is another", async () => {
	const [head, body, signature] = run.token.split(".") as [string, string, string];
	const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";
	// The last character has four bits that mean nothing.
	const last = alphabet.indexOf(signature.at(-1) as string);
	const spellings = [
		...Array.from(
			{ length: 15 },
			(_, index) => signature.slice(0, -1) + alphabet[(last & 0x30) | (((last & 0xf) + index + 1) & 0xf)],
		),
		`${signature}==`,
		signature.replaceAll("-", "+").replaceAll("_", "/"),
	].filter((other) => other !== signature);
	for (const other of spellings)
		expect(await run.call("GET", "/v1/input", undefined, bearer(`${head}.${body}.${other}`)), other).toMatchObject({
			status: 401,
		});
	expect(await run.call("GET", "/v1/input")).toMatchObject({ status: 200 });
});

test.each([
	["no scheme", (token: string) => token],
	["another scheme", (token: string) => `Basic ${token}`],
	["two tokens", (token: string) => `Bearer ${token} ${token}`],
	["a comma", (token: string) => `Bearer ${token}, Bearer ${token}`],
	["quotation marks", (token: string) => `Bearer "${token}"`],
	["a tab", (token: string) => `Bearer\t${token}`],
	["nothing behind the scheme", () => "Bearer "],
])("an Authorization header with %s is none", async (_name, write) => {
	expect(await run.call("GET", "/v1/input", undefined, { authorization: write(run.token) })).toMatchObject({
		status: 401,
		body: { detail: "The Authorization header must be a bearer token." },
	});
});

test("a token counts in the Authorization header only, whose scheme may be in any case", async () => {
	expect(await run.call("GET", "/v1/input", undefined, { authorization: `bEARER ${run.token}` })).toMatchObject({ status: 200 });
	for (const [path, headers] of [
		[`/v1/input?access_token=${run.token}`, {}],
		["/v1/input", { cookie: `token=${run.token}` }],
		["/v1/input", { "proxy-authorization": `Bearer ${run.token}` }],
	] as const) {
		const answer = await run.call("GET", path, undefined, { ...headers, authorization: "Bearer x" });
		expect(answer.status).toBe(401);
		expect(answer.text).not.toContain(run.token);
	}
});

test("a token for one door is refused at the others", async () => {
	for (const audience of ["sidecar", "agent"] as const) {
		const other = await door.startRun({}, { audience });
		const refused = {
			status: 401,
			body: { detail: `The execution token is for the ${audience} door, and this is the bridge door.` },
		};
		expect(await other.call("GET", "/v1/input")).toMatchObject(refused);
		// Also when this door's host knows it already.
		expect(await identify(other.token, audience)).toMatchObject({ scopes: expect.any(Array) });
		expect(await other.call("GET", "/v1/input")).toMatchObject(refused);
		await other.end();
	}
});

test("a token has the scopes that it was made for, and none that its run has not", async () => {
	const narrow = await door.startRun({ scopes: ["input:read", "log:write"] }, { scopes: ["log:write"] });
	expect(await narrow.call("GET", "/v1/input")).toMatchObject({
		status: 403,
		body: { code: "denied", detail: "io.get-input needs the scope input:read, which this token does not have." },
	});
	const live = door.host.external(narrow.id);
	if (!live) throw new Error("The run is not under way.");
	await expect(door.tokens.issue(live, { audience: "bridge", scopes: ["variables:write"] })).rejects.toMatchObject({
		code: "denied",
		message: "The run does not have the scope variables:write.",
	});
	await narrow.end();
	await expect(door.tokens.issue(live, { audience: "bridge" })).rejects.toMatchObject({ code: "cancelled" });
});

test("a token ends with its time, also when it is known already, and never lives longer than its run", async () => {
	vi.useFakeTimers({ toFake: ["Date"] });
	const short = await door.startRun({}, { lifetimeMs: 5_000 });
	const known = await door.startRun({}, { lifetimeMs: 5_000 });
	expect(await known.call("GET", "/v1/input")).toMatchObject({ status: 200 });
	vi.setSystemTime(Date.now() + 6_000);
	for (const run of [short, known])
		expect(await run.call("GET", "/v1/input")).toMatchObject({
			status: 401,
			body: { detail: "The execution token has expired." },
		});
	const brief = await door.host.open({ limits: { maxWallTimeMs: 20_000 } });
	const { expiresAt } = await door.tokens.issue(brief, { audience: "bridge", lifetimeMs: 600_000 });
	expect(expiresAt).toBe(Math.ceil(brief.execution.deadlineAt / 1_000) * 1_000);
	brief.end({ status: "succeeded" });
	await Promise.all([short.end(), known.end(), brief.outcome]);
});

test("a run has 64 tokens that are good, and those that have expired make room", async () => {
	vi.useFakeTimers({ toFake: ["Date"] });
	const full = await door.host.open({});
	const issue = (lifetimeMs = 600_000) => door.tokens.issue(full, { audience: "bridge", lifetimeMs });
	await issue(1_000);
	for (let count = 1; count < 64; count++) await issue();
	await expect(issue()).rejects.toMatchObject({
		code: "rate-limited",
		message: "This run has 64 tokens that are good; the limit is 64.",
	});
	vi.setSystemTime(Date.now() + 3_000);
	await issue();
	full.end({ status: "succeeded" });
	await full.outcome;
});
