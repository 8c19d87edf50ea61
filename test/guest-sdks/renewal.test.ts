import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { forEverySdk } from "./every-sdk.ts";
import { type Answer, openScriptedServer, problem, type ScriptedServer, value } from "./scripted-server.ts";

/** A token by its looks: made so many seconds ago, and good for so many more; by a clock that is fast, both are less than nothing. */
function makeToken(name: string, agoSeconds: number, leftSeconds: number): string {
	const now = Math.floor(Date.now() / 1_000);
	const payload = { sub: name, iat: now - agoSeconds, exp: now + leftSeconds, scope: "ä".repeat(3) };
	return [{ alg: "EdDSA" }, payload, name].map((part) => Buffer.from(JSON.stringify(part)).toString("base64url")).join(".");
}

forEverySdk(({ sdk, enter, call, callTogether, directory }) => {
	let server: ScriptedServer;
	beforeEach(async () => {
		server = await openScriptedServer();
	});
	afterEach(() => server[Symbol.asyncDispose]());
	const enterWith = (token: string): Promise<void> => enter({ CRONIUM_API_URL: server.url, CRONIUM_EXECUTION_TOKEN: token });
	const tokensOf = (url: string): unknown[] =>
		server.received.filter((request) => request.url === url).map(({ headers }) => headers.authorization?.slice("Bearer ".length));
	const renews =
		(renewal: Answer): Answer =>
		(response, request) =>
			(request.url === "/v1/token" ? renewal : value("1"))(response, request);

	test("a token with less than a quarter of its life left is renewed before a call", async () => {
		const old = makeToken("old", 80, 20);
		const renewed = makeToken("renewed", 0, 100);
		server.answer(renews(value(JSON.stringify({ token: renewed, expiresAt: "2126-01-01T00:00:00.000Z" }))));
		await enterWith(old);
		expect(await call("getInput")).toBe(1);
		expect(await call("getInput")).toBe(1);
		expect(tokensOf("/v1/token")).toEqual([old]);
		expect(tokensOf("/v1/input")).toEqual([renewed, renewed]);
		const [request] = server.received;
		expect(request).toMatchObject({ method: "POST", body: "" });
		expect(request?.headers["idempotency-key"]).toBeUndefined();
	});

	test("a clock that is ten minutes fast renews a token once, and lets the next one have its life", async () => {
		const renewed = makeToken("renewed", 600, 0);
		server.answer(renews(value(JSON.stringify({ token: renewed, expiresAt: "" }))));
		await enterWith(makeToken("old", 601, -1));
		for (let calls = 0; calls < 3; calls++) expect(await call("getInput")).toBe(1);
		expect(tokensOf("/v1/token")).toHaveLength(1);
		expect(tokensOf("/v1/input")).toEqual([renewed, renewed, renewed]);
	});

	test("a clock that is ten minutes slow makes no token last longer than it says", async () => {
		const old = makeToken("old", -600, 602);
		const renewed = makeToken("renewed", -600, 602);
		server.answer(renews(value(JSON.stringify({ token: renewed, expiresAt: "" }))));
		await enterWith(old);
		expect(await call("getInput")).toBe(1);
		// Both of them in less than two seconds.
		await expect.poll(() => call("getInput").then(() => tokensOf("/v1/token")), { timeout: 10_000 }).toEqual([old, renewed]);
	});

	test("a token with more of its life left is not", async () => {
		const token = makeToken("young", 50, 50);
		server.answer(renews(problem(500, "internal")));
		await enterWith(token);
		await call("getInput");
		expect(server.received.map(({ url }) => url)).toEqual(["/v1/input"]);
	});

	test("a renewal that fails is nobody's error while the token is good, and not tried at every call", async () => {
		const old = makeToken("old", 80, 20);
		server.answer(renews(problem(503, "unavailable")));
		await enterWith(old);
		expect(await call("getInput")).toBe(1);
		expect(await call("getInput")).toBe(1);
		expect(tokensOf("/v1/token")).toEqual([old]);
		expect(tokensOf("/v1/input")).toEqual([old, old]);
	});

	test.each([
		["no token", "{}"],
		["a token with a line feed", JSON.stringify({ token: "re\nnewed" })],
		["a number", JSON.stringify({ token: 12 })],
		["no JSON", "<html>"],
	])("a renewal that brings %s is one that fails", async (_what, body) => {
		const old = makeToken("old", 80, 20);
		server.answer(renews(value(body)));
		await enterWith(old);
		expect(await call("getInput")).toBe(1);
		expect(await call("getInput")).toBe(1);
		expect(tokensOf("/v1/token")).toEqual([old]);
		expect(tokensOf("/v1/input")).toEqual([old, old]);
	});

	// Callers of these are processes and threads with clients of their own.
	test.skipIf(sdk === "Bash" || sdk === "JavaScript sync")("callers at one time renew once", async () => {
		const renewed = makeToken("renewed", 0, 100);
		server.answer(
			renews((response, request) =>
				setTimeout(() => value(JSON.stringify({ token: renewed, expiresAt: "" }))(response, request), 50),
			),
		);
		await enterWith(makeToken("old", 80, 20));
		await callTogether(8, "getInput");
		expect(tokensOf("/v1/token")).toHaveLength(1);
		expect(new Set(tokensOf("/v1/input"))).toEqual(new Set([renewed]));
	});

	test("a token without times, and one of a file, are used as they are", async () => {
		server.answer(renews(problem(500, "internal")));
		await enterWith("opaque");
		await call("getInput");
		writeFileSync(join(directory, "token"), "opaque.to.us\n");
		await enter({ CRONIUM_API_URL: server.url, CRONIUM_EXECUTION_TOKEN_FILE: join(directory, "token") });
		await call("getInput");
		expect(tokensOf("/v1/input")).toEqual(["opaque", "opaque.to.us"]);
		expect(tokensOf("/v1/token")).toEqual([]);
	});

	test.skipIf(sdk === "Bash")("a token is renewed while the script does something else", async () => {
		const renewed = makeToken("renewed", 0, 1_000);
		server.answer(renews(value(JSON.stringify({ token: renewed, expiresAt: "" }))));
		await enterWith(makeToken("old", 2, 2));
		await expect.poll(() => tokensOf("/v1/token").length, { timeout: 10_000 }).toBe(1);
		await call("getInput");
		expect(tokensOf("/v1/input")).toEqual([renewed]);
	});
});
