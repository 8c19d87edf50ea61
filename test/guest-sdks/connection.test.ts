import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { makeCertificates } from "../tokens/certificates.ts";
import { forEverySdk } from "./every-sdk.ts";
import { openScriptedServer, problem, value } from "./scripted-server.ts";

const token = "the-secret.of-this.run";
let certificates: string;
const file = (name: string): string => join(certificates, name);
const text = (name: string): string => readFileSync(file(name), "utf8");
beforeAll(() => {
	certificates = mkdtempSync(join(tmpdir(), "cronium-certificates-"));
	makeCertificates(certificates);
});
afterAll(() => rmSync(certificates, { recursive: true, force: true }));

forEverySdk(({ sdk, enter, call, directory, runUncaught }) => {
	/** Some SDKs refuse settings when their client is made, some at the first call. */
	async function failure(environment: Readonly<Record<string, string>>): Promise<unknown> {
		await enter(environment);
		return call("getInput").catch((error: Error) => error);
	}

	test.each([
		[{ CRONIUM_API_URL: "ftp://localhost", CRONIUM_EXECUTION_TOKEN: token }, "CRONIUM_API_URL must be the URL of a server"],
		[
			{ CRONIUM_API_URL: "https://user:word@localhost", CRONIUM_EXECUTION_TOKEN: token },
			"CRONIUM_API_URL must be the URL of a server",
		],
		[{ CRONIUM_API_URL: "http://cronium.example", CRONIUM_EXECUTION_TOKEN: token }, "in clear"],
		[{ CRONIUM_API_URL: "http://127.0.0.1.cronium.example", CRONIUM_EXECUTION_TOKEN: token }, "in clear"],
		[
			{ CRONIUM_API_URL: "http://localhost", CRONIUM_EXECUTION_TOKEN_FILE: "/nowhere/token" },
			"CRONIUM_EXECUTION_TOKEN_FILE: /nowhere/token cannot be read",
		],
	])("refuses %j", async (environment, message) => {
		expect(await failure(environment)).toMatchObject({ code: "invalid", message: expect.stringContaining(message) });
	});

	const server = "CRONIUM_API_URL or CRONIUM_SOCKET";
	const eitherToken = "CRONIUM_EXECUTION_TOKEN or CRONIUM_EXECUTION_TOKEN_FILE";
	test.each([
		["API_URL", `${eitherToken} is`],
		["SOCKET", `${eitherToken} is`],
		["EXECUTION_TOKEN", `${server} is`],
		["EXECUTION_TOKEN_FILE", `${server} is`],
		["CA_CERT", `${server}, and ${eitherToken} are`],
		["CLIENT_CERT", `${server}, and ${eitherToken}, and CRONIUM_CLIENT_KEY are`],
		["CLIENT_KEY", `${server}, and ${eitherToken}, and CRONIUM_CLIENT_CERT are`],
		["CA_CERT CLIENT_CERT CLIENT_KEY", `${server}, and ${eitherToken} are`],
		["API_URL EXECUTION_TOKEN CLIENT_CERT", "CRONIUM_CLIENT_KEY is"],
		["API_URL EXECUTION_TOKEN CLIENT_KEY", "CRONIUM_CLIENT_CERT is"],
		["API_URL CA_CERT CLIENT_KEY", `${eitherToken}, and CRONIUM_CLIENT_CERT are`],
		["SOCKET CA_CERT", `${eitherToken}, and CRONIUM_CLIENT_CERT, and CRONIUM_CLIENT_KEY are`],
		["SOCKET EXECUTION_TOKEN CA_CERT", "CRONIUM_CLIENT_CERT, and CRONIUM_CLIENT_KEY are"],
		["SOCKET EXECUTION_TOKEN CLIENT_CERT", "CRONIUM_CA_CERT, and CRONIUM_CLIENT_KEY are"],
		["SOCKET EXECUTION_TOKEN CLIENT_KEY", "CRONIUM_CA_CERT, and CRONIUM_CLIENT_CERT are"],
		["SOCKET EXECUTION_TOKEN CLIENT_CERT CLIENT_KEY", "CRONIUM_CA_CERT is"],
	])("with only %s, one message names all that is missing", async (names, missing) => {
		const given = names.split(" ").map((name) => `CRONIUM_${name}`);
		expect(await failure(Object.fromEntries(given.map((name) => [name, "/a"])))).toMatchObject({
			code: "invalid",
			message: `${missing} missing; there is ${given.join(", ")}.`,
		});
	});

	test("a socket that is not there is named", async () => {
		expect(await failure({ CRONIUM_SOCKET: "/nowhere/socket", CRONIUM_EXECUTION_TOKEN: token })).toMatchObject({
			code: "unavailable",
			message: expect.stringContaining("cannot be reached through the socket /nowhere/socket: "),
		});
	});

	test("an empty variable counts as not set", async () => {
		await using server = await openScriptedServer();
		server.answer(value("1"));
		await enter({ CRONIUM_SOCKET: "", CRONIUM_CA_CERT: "", CRONIUM_API_URL: server.url, CRONIUM_EXECUTION_TOKEN: token });
		expect(await call("getInput")).toBe(1);
	});

	test("a URL may have a path before that of the API", async () => {
		await using server = await openScriptedServer();
		server.answer(value("1"));
		await enter({ CRONIUM_API_URL: `${server.url}/cronium/`, CRONIUM_EXECUTION_TOKEN: token });
		await call("getVariable", "../a b/ü");
		expect(server.received[0]).toMatchObject({ method: "GET", url: "/cronium/v1/variables/..%2Fa%20b%2F%C3%BC" });
		expect(server.received[0]?.headers.authorization).toBe(`Bearer ${token}`);
	});

	test("goes where it was sent to: not after a redirect, and not through a proxy", async () => {
		await using elsewhere = await openScriptedServer();
		elsewhere.answer(value("1"));
		await using server = await openScriptedServer();
		server.answer((response) => void response.writeHead(307, { Location: `${elsewhere.url}/v1/input` }).end());
		const proxies = Object.fromEntries(
			["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "http_proxy", "https_proxy", "all_proxy"].map((name) => [name, elsewhere.url]),
		);
		await enter({ CRONIUM_API_URL: server.url, CRONIUM_EXECUTION_TOKEN: token, ...proxies, NODE_USE_ENV_PROXY: "1" });
		await expect(call("getInput")).rejects.toMatchObject({ code: "internal", message: expect.stringContaining("307") });
		expect(server.received).toHaveLength(1);
		expect(elsewhere.received).toEqual([]);
	});

	test("keeps its connection", async () => {
		await using server = await openScriptedServer();
		server.answer(value("1"));
		await enter({ CRONIUM_API_URL: server.url, CRONIUM_EXECUTION_TOKEN: token });
		for (let calls = 0; calls < 5; calls++) await call("getInput");
		const connections = new Set(server.received.map(({ connection }) => connection)).size;
		// curl is a process of its own for each call.
		expect(connections).toBe(sdk === "Bash" ? 5 : 1);
	});

	test.each([
		["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01", true],
		["00-short-01", false],
		["00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01\r\nX: 1", false],
	])("passes on the trace %j: %s", async (traceparent, isPassed) => {
		await using server = await openScriptedServer();
		server.answer(value("1"));
		await enter({ CRONIUM_API_URL: server.url, CRONIUM_EXECUTION_TOKEN: token, TRACEPARENT: traceparent });
		await call("getInput");
		expect(server.received[0]?.headers.traceparent).toBe(isPassed ? traceparent : undefined);
		await enter({ TRACEPARENT: "" });
	});

	test("over TLS it trusts the issuer that it was given, and nobody else", async () => {
		await using server = await openScriptedServer({ tls: { key: text("server.key"), cert: text("server.pem") } });
		server.answer(value("1"));
		const settings = { CRONIUM_API_URL: server.url, CRONIUM_EXECUTION_TOKEN: token };
		await enter({ ...settings, CRONIUM_CA_CERT: file("ca.pem") });
		expect(await call("getInput")).toBe(1);
		server.answer(value("1"));
		await enter(settings);
		await expect(call("getInput")).rejects.toMatchObject({
			code: "unavailable",
			message: expect.stringMatching(sdk === "Bash" ? /its certificate is not trusted/ : /VERIFY/),
		});
		expect(server.received).toEqual([]);
	});

	test("over TLS on a Unix socket it shows its certificate", async () => {
		await using server = await openScriptedServer({
			tls: { key: text("server.key"), cert: text("server.pem"), clientIssuer: text("ca.pem") },
			unixSocket: true,
		});
		server.answer(value('"through the socket"'));
		const tokenFile = join(directory, "token");
		writeFileSync(tokenFile, `${token}\n`);
		await enter({
			CRONIUM_SOCKET: server.socketPath as string,
			CRONIUM_CA_CERT: file("ca.pem"),
			CRONIUM_CLIENT_CERT: file("client.pem"),
			CRONIUM_CLIENT_KEY: file("client.key"),
			CRONIUM_EXECUTION_TOKEN_FILE: tokenFile,
		});
		expect(await call("getInput")).toBe("through the socket");
		expect(server.received[0]?.headers.authorization).toBe(`Bearer ${token}`);
	});

	test("a token file is read again when the token is refused, and the call is made once more", async () => {
		await using server = await openScriptedServer();
		const tokenFile = join(directory, "changing-token");
		writeFileSync(tokenFile, "first.token");
		await enter({ CRONIUM_API_URL: server.url, CRONIUM_EXECUTION_TOKEN_FILE: tokenFile });
		server.answer((response, request) => {
			const isNew = request.headers.authorization === "Bearer second.token";
			(isNew ? value("1") : problem(401, "unauthenticated"))(response, request);
		});
		await expect(call("getInput")).rejects.toMatchObject({ code: "unauthenticated" });
		const before = server.received.length;
		writeFileSync(tokenFile, "second.token");
		expect(await call("incrementVariable", "n")).toBe(1);
		expect(server.received.slice(before).map(({ headers }) => headers.authorization)).toEqual([
			"Bearer first.token",
			"Bearer second.token",
		]);
		const [, refused, made] = server.received;
		expect(made?.headers["idempotency-key"]).toBe(refused?.headers["idempotency-key"]);
	});

	test("a token that is refused is not shown again", async () => {
		await using server = await openScriptedServer();
		server.answer(problem(401, "unauthenticated"), value("1"));
		await enter({ CRONIUM_API_URL: server.url, CRONIUM_EXECUTION_TOKEN: token });
		const error = await call("getInput").catch((thrown: Error) => thrown);
		expect(error).toMatchObject({ code: "unauthenticated" });
		expect((error as Error).message).not.toContain(token);
		expect(server.received).toHaveLength(1);
	});

	test.each([`${token}\n`, ` \t${token}\r\n\n`])("the white space around a token is no part of it: %j", async (padded) => {
		await using server = await openScriptedServer();
		server.answer(value("1"));
		const tokenFile = join(directory, "padded-token");
		writeFileSync(tokenFile, padded);
		for (const source of [{ CRONIUM_EXECUTION_TOKEN: padded }, { CRONIUM_EXECUTION_TOKEN_FILE: tokenFile }]) {
			await enter({ CRONIUM_API_URL: server.url, ...source });
			expect(await call("getInput")).toBe(1);
		}
		expect(server.received.map(({ headers }) => headers.authorization)).toEqual(Array(2).fill(`Bearer ${token}`));
	});

	test.each([
		`${token}\n${token}`,
		`${token}\r\nX-Injected: 1`,
		`${token} ${token}`,
		`${token}"`,
		`${token}\u00a0`,
		`${token}é`,
		" \n",
	])("refuses the token %j without showing it", async (refused) => {
		await using server = await openScriptedServer();
		server.answer(value("1"));
		const tokenFile = join(directory, "refused-token");
		writeFileSync(tokenFile, refused);
		const rule = "has no token: a token is of A-Z, a-z, 0-9 and ._~+/=- only.";
		for (const [source, message] of [
			[{ CRONIUM_EXECUTION_TOKEN: refused }, `CRONIUM_EXECUTION_TOKEN ${rule}`],
			[{ CRONIUM_EXECUTION_TOKEN_FILE: tokenFile }, `CRONIUM_EXECUTION_TOKEN_FILE: ${tokenFile} ${rule}`],
		] as const)
			expect(await failure({ CRONIUM_API_URL: server.url, ...source })).toMatchObject({ code: "invalid", message });
		expect(server.received).toEqual([]);
	});

	test("a token file with a NUL has no token", async () => {
		const tokenFile = join(directory, "binary-token");
		writeFileSync(tokenFile, `${token}\0`);
		const error = await failure({ CRONIUM_API_URL: "http://localhost", CRONIUM_EXECUTION_TOKEN_FILE: tokenFile });
		expect(error).toMatchObject({ code: "invalid", message: expect.stringContaining(`${tokenFile} has no token`) });
	});

	test.each([
		["that is refused by the server", `${token}\n`, "denied"],
		["that is none", `${token}\nX-Injected: 1`, "invalid"],
	])("a script that catches nothing prints nothing of a token %s", async (_which, given, code) => {
		await using server = await openScriptedServer();
		server.answer(problem(403, "denied"));
		const tokenFile = join(directory, "printed-token");
		writeFileSync(tokenFile, given);
		for (const source of [{ CRONIUM_EXECUTION_TOKEN: given }, { CRONIUM_EXECUTION_TOKEN_FILE: tokenFile }]) {
			const { status, output } = await runUncaught({ CRONIUM_API_URL: server.url, ...source });
			expect(status).not.toBe(0);
			expect(output).toContain(code);
			expect(output).not.toContain(token);
		}
	});

	test("neither the token nor a value is in a command line of any process", async () => {
		await using server = await openScriptedServer();
		const seen: string[] = [];
		server.answer((response, request) => {
			seen.push(...readProcesses());
			value('"1"', { ETag: '"1"' })(response, request);
		});
		await enter({ CRONIUM_API_URL: server.url, CRONIUM_EXECUTION_TOKEN: "a-token-that.nobody-else.sees" });
		await call("setVariable", "k", { $json: '"a value that nobody else sees"' });
		expect(seen.length).toBeGreaterThan(0);
		expect(seen.filter((line) => /nobody-else|nobody else/.test(line))).toEqual([]);
	});
});

/** The command lines of every process. */
function readProcesses(): string[] {
	return readdirSync("/proc")
		.filter((name) => /^\d+$/.test(name))
		.flatMap((id) => {
			try {
				return [readFileSync(`/proc/${id}/cmdline`, "utf8")];
			} catch {
				return [];
			}
		});
}
