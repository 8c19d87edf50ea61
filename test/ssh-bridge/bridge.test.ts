import { rmSync } from "node:fs";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { openAuditTrail } from "../../host/index.ts";
import { rotateAuthority } from "../../sidecar/certificate-authority.ts";
import { forEverySdk } from "../guest-sdks/every-sdk.ts";
import { exchange, openConnection } from "../http/send-request.ts";
import { openPublicDoor, type PublicDoor } from "./public-door.ts";

const unauthenticated = { status: 401, body: { code: "unauthenticated" } };
const elsewhere = "127.0.0.2";

/** A connection over TLS that nothing is sent on. */
function openTls(door: PublicDoor, from?: string, options: { readonly maxVersion?: "TLSv1.2" } = {}): Promise<TLSSocket> {
	return new Promise((resolve, reject) => {
		const socket = connectTls({
			host: "127.0.0.1",
			port: Number(new URL(door.url).port),
			ca: door.certificate.trusted,
			...(from !== undefined && { localAddress: from }),
			...options,
		});
		socket.once("secureConnect", () => resolve(socket)).once("error", reject);
		socket.once("close", () => reject(new Error("The connection was closed.")));
	});
}

describe("the public door", () => {
	let door: PublicDoor;
	beforeAll(async () => {
		door = await openPublicDoor();
	});
	afterAll(async () => {
		expect(door.internalErrors).toEqual([]);
		await door[Symbol.asyncDispose]();
	});

	forEverySdk(({ enter, call }) => {
		test("trusts the certificate of the host's own authority by CRONIUM_CA_CERT, and no other one", async () => {
			const run = await door.openRun({ input: '{"n":1}' });
			const environment = { CRONIUM_API_URL: door.url, CRONIUM_EXECUTION_TOKEN: run.token };
			await enter({ ...environment, CRONIUM_CA_CERT: door.trustFile });
			expect(await call("getInput")).toEqual({ n: 1 });
			await using other = await openPublicDoor();
			await enter({ ...environment, CRONIUM_CA_CERT: other.trustFile, CRONIUM_TIMEOUT_MS: "2000" });
			await expect(call("getInput")).rejects.toMatchObject({ code: "unavailable" });
			await run.end();
		});
	});

	test("TLS before 1.3 is not spoken", async () => {
		await expect(openTls(door, undefined, { maxVersion: "TLSv1.2" })).rejects.toThrow();
		(await openTls(door)).destroy();
	});

	test("HTTP in clear gets no answer", async () => {
		const url = door.url.replace("https:", "http:");
		expect(await exchange({ url }, "GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")).not.toMatch(/HTTP/);
	});

	test.each(["tunnel", "agent", "sidecar"] as const)("a token for the %s door is refused", async (audience) => {
		const run = await door.openRun({}, { audience });
		expect(await run.call("GET", "/v1/input")).toMatchObject({
			...unauthenticated,
			body: { detail: `The execution token is for the ${audience} door, and this is the bridge door.` },
		});
		await run.end();
	});

	test("a token that is bound to an address is good from there only", async () => {
		for (const address of ["127.0.0.1", "::ffff:127.0.0.1"]) {
			const run = await door.openRun({}, { address });
			expect(await run.call("GET", "/v1/input"), address).toMatchObject({ status: 200 });
			expect(await run.call("GET", "/v1/input", { from: elsewhere }), address).toMatchObject({
				...unauthenticated,
				body: { detail: "The execution token is bound to another address than this connection comes from." },
			});
			// Nobody says for himself where he comes from.
			for (const name of ["x-forwarded-for", "forwarded", "x-real-ip"])
				expect(await run.call("GET", "/v1/input", { from: elsewhere, headers: { [name]: "127.0.0.1" } }), name).toMatchObject(
					unauthenticated,
				);
			const { token } = (await run.call("POST", "/v1/token")).body as { readonly token: string };
			expect(await run.call("GET", "/v1/input", { token, from: elsewhere })).toMatchObject(unauthenticated);
			await run.end();
		}
	});

	test("a token is worth nothing after the end of its run, also on a connection that was there before", async () => {
		const run = await door.openRun({ input: "1" });
		const socket = await openTls(door);
		const request = `GET /v1/input HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${run.token}\r\n\r\n`;
		let answers = "";
		socket.setEncoding("latin1").on("data", (text: string) => {
			answers += text;
		});
		socket.write(request);
		await expect.poll(() => answers).toMatch(/200 OK/);
		await run.end();
		socket.write(request);
		await expect.poll(() => answers).toMatch(/401 Unauthorized/);
		expect(await run.call("GET", "/v1/input")).toMatchObject(unauthenticated);
		socket.destroy();
	});

	test("headers that are too many or too large are refused, and the connection is closed", async () => {
		const socket = await openTls(door);
		let answer = "";
		socket.setEncoding("latin1").on("data", (text: string) => {
			answer += text;
		});
		socket.on("error", () => undefined);
		const closed = new Promise((resolve) => socket.once("close", resolve));
		socket.write(`GET /v1/input HTTP/1.1\r\nHost: x\r\n`);
		for (let index = 0; index < 2_000; index++) socket.write(`X-${index}: ${"x".repeat(20)}\r\n`);
		await closed;
		expect(answer).toMatch(/^HTTP\/1\.1 431 /);
	});

	test("a connection that is cut in the middle of a request or of an answer leaves nothing behind", async () => {
		const run = await door.openRun();
		const large = JSON.stringify("v".repeat(1024 * 1024 - 2));
		await run.call("PUT", "/v1/variables/large", { body: large });
		for (let index = 0; index < 5; index++) {
			const socket = await openTls(door);
			socket.on("error", () => undefined);
			const head = `HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${run.token}\r\n`;
			socket.write(`PUT /v1/variables/half ${head}Content-Type: application/json\r\nContent-Length: 100\r\n\r\n"half`);
			const reading = await openTls(door);
			reading.on("error", () => undefined);
			reading.write(`GET /v1/variables/large ${head}\r\n`);
			await new Promise((resolve) => reading.once("data", resolve));
			socket.destroy();
			reading.destroy();
		}
		expect(await run.call("GET", "/v1/variables/half")).toMatchObject({ status: 404 });
		expect(await run.end()).toMatchObject({ status: "succeeded" });
		expect(await connectionsOf(door)).toBe(0);
	});

	test("another certificate is shown without a restart, and clients that trust the former authority go on", async () => {
		const before = door.certificate.tls.certificate;
		const trustedBefore = await readFile(door.trustFile, "utf8");
		await rotateAuthority(door.dataDirectory);
		await expect
			.poll(
				async () => {
					await door.certificate.refresh();
					return door.certificate.trusted;
				},
				{ timeout: 10_000 },
			)
			.not.toBe(trustedBefore);
		// The oldest authority that is trusted issues for servers, so that the certificate is the same one until it is over.
		expect(door.certificate.tls.certificate).toBe(before);
		const socket = await openTls(door);
		expect(socket.authorized).toBe(true);
		// As it is when all that the oldest has issued is over.
		rmSync(join(door.dataDirectory, "keys", "ca-1.pem"));
		await expect
			.poll(
				async () => {
					await door.certificate.refresh();
					return door.certificate.tls.certificate;
				},
				{ timeout: 10_000 },
			)
			.not.toBe(before);
		const shown = await openTls(door);
		expect(shown.getPeerX509Certificate()?.toString().trim()).toBe(door.certificate.tls.certificate.trim());
		expect(shown.getProtocol()).toBe("TLSv1.3");
		await expect(openTls(door, undefined, { maxVersion: "TLSv1.2" })).rejects.toThrow();
		// Connections that were there are not cut.
		expect(socket.destroyed).toBe(false);
		for (const one of [socket, shown]) one.destroy();
	});
});

/** Once those that were cut are gone. */
async function connectionsOf({ server }: PublicDoor): Promise<number> {
	let count = -1;
	await expect
		.poll(
			async () => {
				count = await new Promise((resolve) => server.server.getConnections((_error, number) => resolve(number)));
				return count;
			},
			{ timeout: 20_000 },
		)
		.toBe(0);
	return count;
}

describe("limits of one address", () => {
	test("wrong tokens are refused without being looked at, while tokens that are known go on and others are served", async () => {
		await using door = await openPublicDoor({ maxAddressFailuresPerMinute: 20 });
		const known = await door.openRun({ input: "1" });
		const other = await door.openRun({ input: "2" });
		expect(await known.call("GET", "/v1/input")).toMatchObject({ status: 200 });
		// A token like a real one, signed by nobody.
		const [head, body] = known.token.split(".");
		const wrong = Array.from(
			{ length: 1_000 },
			(_, index) => `${head}.${body}.${Buffer.from(`signature ${index}`).toString("base64url")}`,
		);
		const attack = attackWith(door, wrong);
		const during: number[] = [];
		while (!attack.isOver()) {
			during.push(
				(await known.call("GET", "/v1/input")).status,
				(await other.call("GET", "/v1/input", { from: elsewhere })).status,
			);
		}
		const answers = await attack.answers;
		expect(new Set(during)).toEqual(new Set([200]));
		const statuses = answers.map(({ status }) => status);
		const refused = statuses.filter((status) => status === 401).length;
		expect(statuses.filter((status) => status === 429)).toHaveLength(1_000 - refused);
		// Twenty, and what a minute brings back meanwhile.
		expect(refused).toBeGreaterThanOrEqual(20);
		expect(refused).toBeLessThan(60);
		const limited = answers.find(({ status }) => status === 429);
		expect(limited?.text).toContain("maxAddressFailuresPerMinute");
		expect(Number(/retry-after: (\d+)/i.exec(limited?.text ?? "")?.[1])).toBeGreaterThan(0);
		// A run whose token has not been seen yet has to wait there, and does not have to elsewhere.
		const fresh = await door.openRun();
		expect(await fresh.call("GET", "/v1/input")).toMatchObject({
			status: 429,
			body: { code: "rate-limited", limit: { name: "maxAddressFailuresPerMinute", value: 20, unit: "failures" } },
		});
		expect(await fresh.call("GET", "/v1/input", { from: elsewhere })).toMatchObject({ status: 200 });
		await door.host.dispose();
		await using trail = await openAuditTrail(door.dataDirectory);
		const failures = (await trail.list({ type: "authentication-failure" })).map(({ text }) => JSON.parse(text).entry);
		// One entry at once and one at the end, for each of the two reasons.
		expect(failures.length).toBeLessThanOrEqual(4);
		expect(failures.reduce((sum, { count }) => sum + count, 0)).toBeGreaterThanOrEqual(1_000);
		expect(failures.map(({ addresses }) => addresses)).toContainEqual(["127.0.0.1"]);
	});

	test("good tokens cost nothing of the failures, however many there are", async () => {
		await using door = await openPublicDoor({ maxAddressFailuresPerMinute: 2 });
		for (let index = 0; index < 8; index++) {
			const run = await door.openRun();
			expect(await run.call("GET", "/v1/input")).toMatchObject({ status: 200 });
			await run.end();
		}
		for (const token of ["x", "y"]) expect(await door.call("GET", "/v1/input", { token })).toMatchObject(unauthenticated);
		expect(await door.call("GET", "/v1/input")).toMatchObject({ status: 429 });
	});

	test("no header makes a request come from another address", async () => {
		await using door = await openPublicDoor({ maxAddressFailuresPerMinute: 1 });
		expect(await door.call("GET", "/v1/input", { token: "x" })).toMatchObject(unauthenticated);
		for (const name of ["x-forwarded-for", "forwarded", "x-real-ip"])
			expect(await door.call("GET", "/v1/input", { token: "x", headers: { [name]: "192.0.2.9" } }), name).toMatchObject({
				status: 429,
			});
	});

	test("too many connections are closed, while another address is served", async () => {
		await using door = await openPublicDoor({ maxAddressConnections: 8 });
		const run = await door.openRun();
		const held = await Promise.all(Array.from({ length: 8 }, () => openTls(door)));
		await expect(openTls(door)).rejects.toThrow();
		await expect(run.call("GET", "/v1/input")).rejects.toThrow();
		expect(await run.call("GET", "/v1/input", { from: elsewhere })).toMatchObject({ status: 200 });
		for (const socket of held) socket.destroy();
		expect(await connectionsOf(door)).toBe(0);
		expect(await run.call("GET", "/v1/input")).toMatchObject({ status: 200 });
	});

	test("connections that shake no hands count, too, and take the turns of nobody else", async () => {
		await using door = await openPublicDoor({ maxAddressConnections: 50, maxAddressHandshakesPerSecond: 20 });
		const run = await door.openRun();
		const url = door.url.replace("https:", "http:");
		const silent = await Promise.all(Array.from({ length: 50 }, () => openConnection({ url })));
		expect(await run.call("GET", "/v1/input", { from: elsewhere })).toMatchObject({ status: 200 });
		for (const connection of silent) connection[Symbol.dispose]();
		expect(await connectionsOf(door)).toBe(0);
	});

	test("too many requests are refused with the time to wait", async () => {
		await using door = await openPublicDoor({ maxAddressRequestsPerSecond: 5 });
		const answers = await Promise.all(Array.from({ length: 12 }, () => door.call("GET", "/healthz")));
		const limited = answers.filter(({ status }) => status === 429);
		expect(limited.length).toBeGreaterThan(0);
		expect(limited[0]).toMatchObject({
			headers: { "retry-after": "1" },
			body: { limit: { name: "maxAddressRequestsPerSecond" } },
		});
		expect(await door.call("GET", "/healthz", { from: elsewhere })).toMatchObject({ status: 200 });
	});

	test("bodies and answers under way are limited for all runs of an address together", async () => {
		await using door = await openPublicDoor({ maxAddressPendingBytes: 1024 * 1024, maxPendingBytes: 4 * 1024 * 1024 });
		const [one, two] = [await door.openRun(), await door.openRun()];
		const socket = await openTls(door);
		socket.write(
			`PUT /v1/variables/slow HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${one.token}\r\nContent-Type: application/json\r\nContent-Length: 1000000\r\n\r\n"`,
		);
		const body = JSON.stringify("v".repeat(100_000));
		await expect.poll(async () => (await two.call("PUT", "/v1/variables/a", { body })).status).toBe(429);
		expect(await two.call("PUT", "/v1/variables/a", { body })).toMatchObject({
			body: { limit: { name: "maxAddressPendingBytes" } },
		});
		expect(await two.call("PUT", "/v1/variables/a", { body, from: elsewhere })).toMatchObject({ status: 200 });
		socket.destroy();
		await expect.poll(async () => (await two.call("PUT", "/v1/variables/a", { body })).status).toBe(200);
	});

	test("connections of one run are limited, wherever they come from", async () => {
		await using door = await openPublicDoor();
		const run = await door.openRun({ limits: { maxRunConnections: 2 } });
		const request = `GET /v1/input HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${run.token}\r\n\r\n`;
		const held = [await openTls(door), await openTls(door, elsewhere)];
		for (const socket of held) {
			socket.write(request);
			expect(String(await new Promise((resolve) => socket.once("data", resolve)))).toMatch(/200 OK/);
		}
		expect(await run.call("GET", "/v1/input")).toMatchObject({
			status: 429,
			body: { limit: { name: "maxRunConnections", value: 2 } },
		});
		held[0]?.destroy();
		await expect.poll(async () => (await run.call("GET", "/v1/input")).status).toBe(200);
		held[1]?.destroy();
	});
});

/** Sends a request with each of the tokens, a hundred at one time, on connections that stay. */
function attackWith(door: PublicDoor, tokens: readonly string[]) {
	let isOver = false;
	const send = async (mine: readonly string[]) => {
		const socket = await openTls(door);
		const answers: { readonly status: number; readonly text: string }[] = [];
		let text = "";
		let heard: () => void = () => undefined;
		socket.setEncoding("latin1").on("data", (chunk: string) => {
			text += chunk;
			if (/\r\n\r\n\{.*\}$/s.test(text)) heard();
		});
		for (const token of mine) {
			text = "";
			const answered = new Promise<void>((resolve) => {
				heard = resolve;
			});
			socket.write(`GET /v1/input HTTP/1.1\r\nHost: x\r\nAuthorization: Bearer ${token}\r\n\r\n`);
			await answered;
			answers.push({ status: Number(text.slice(9, 12)), text });
		}
		socket.destroy();
		return answers;
	};
	const lanes = Array.from({ length: 20 }, (_, lane) => tokens.filter((_token, index) => index % 20 === lane));
	const answers = Promise.all(lanes.map(send)).then((all) => all.flat());
	void answers.finally(() => {
		isOver = true;
	});
	return { answers, isOver: () => isOver };
}

test("the file of the trust that is handed to hosts holds no key", async () => {
	await using door = await openPublicDoor();
	expect(door.certificate.trusted).not.toContain("PRIVATE");
	expect(await readFile(join(door.dataDirectory, "keys", "ca-1.pem"), "utf8")).toContain("PRIVATE");
});
