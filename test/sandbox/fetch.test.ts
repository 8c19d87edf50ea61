import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { createServer as createTlsServer } from "node:https";
import { type AddressInfo, createServer as createTcpServer, type Server as NetServer } from "node:net";
import type { TLSSocket } from "node:tls";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { gzipSync } from "node:zlib";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { RuntimeError } from "../../host/contract/errors.ts";
import { resolveLimits } from "../../host/contract/limits.ts";
import type { FetchRequest } from "../../host/sandbox/engine.ts";
import { createFetch, type Fetcher, type FetchOptions, type FetchRecord } from "../../host/sandbox/fetch.ts";
import { testCertificate } from "./test-certificate.ts";

type Handler = (request: IncomingMessage, response: ServerResponse) => void;

const open: { close(): unknown }[] = [];
afterEach(async () => {
	for (const one of open.splice(0)) await one.close();
});

async function serve(handler: Handler): Promise<{ port: number; server: Server; requests: IncomingMessage[] }> {
	const requests: IncomingMessage[] = [];
	const server = createServer((request, response) => {
		requests.push(request);
		handler(request, response);
	});
	await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
	open.push({
		close: () => {
			server.closeAllConnections();
			return new Promise((resolve) => server.close(resolve));
		},
	});
	return { port: (server.address() as AddressInfo).port, server, requests };
}

function fetcher(allowedHosts: string[], options: Partial<FetchOptions> = {}): Fetcher {
	const made = createFetch({ allowedHosts, limits: resolveLimits(), ...options });
	open.push(made);
	return made;
}

const get = (url: string, more: Partial<FetchRequest> = {}): FetchRequest => ({
	url,
	method: "GET",
	headers: [],
	redirect: "follow",
	...more,
});
const never = new AbortController().signal;
const text = (base64: string): string => Buffer.from(base64, "base64").toString();
const loopback = async (): Promise<string[]> => ["127.0.0.1"];

/** The RuntimeError that the promise is rejected with. */
async function refusal(promise: Promise<unknown>): Promise<RuntimeError> {
	const error = await promise.then(
		() => undefined,
		(cause: unknown) => cause,
	);
	expect(error).toBeInstanceOf(RuntimeError);
	return error as RuntimeError;
}

describe("fetch", () => {
	let port: number;
	let requests: IncomingMessage[];

	beforeEach(async () => {
		({ port, requests } = await serve((request, response) => {
			const chunks: Buffer[] = [];
			request.on("data", (chunk: Buffer) => chunks.push(chunk));
			request.on("end", () => {
				response.writeHead(201, { "x-method": request.method, "set-cookie": ["a=1", "b=2"] });
				response.end(`${request.headers.host} ${Buffer.concat(chunks)}`);
			});
		}));
	});

	test("sends method, headers and body, and hands back status, headers and body", async () => {
		const { fetch } = fetcher([`127.0.0.1:${port}`]);
		const response = await fetch(
			get(`http://127.0.0.1:${port}/a?b=c#d`, {
				method: "POST",
				headers: [["X-Key", "value"]],
				body: Buffer.from("hello").toString("base64"),
			}),
			never,
		);
		expect(response).toMatchObject({
			url: `http://127.0.0.1:${port}/a?b=c`,
			status: 201,
			statusText: "Created",
			redirected: false,
		});
		expect(text(response.body)).toBe(`127.0.0.1:${port} hello`);
		expect(response.headers).toContainEqual(["x-method", "POST"]);
		expect(response.headers.filter(([name]) => name === "set-cookie")).toEqual([
			["set-cookie", "a=1"],
			["set-cookie", "b=2"],
		]);
		expect(requests[0]?.url).toBe("/a?b=c");
		expect(requests[0]?.headers["x-key"]).toBe("value");
	});

	test("keeps the name in the header Host though it connects to the address that was checked", async () => {
		const { fetch } = fetcher(["api.example", "127.0.0.0/8"], { lookup: loopback });
		expect(text((await fetch(get(`http://api.example:${port}/`), never)).body)).toBe(`api.example:${port} `);
	});

	test("refuses a host that was not given, names it, and asks no name server", async () => {
		const asked: string[] = [];
		const lookup = async (name: string): Promise<string[]> => {
			asked.push(name);
			return ["127.0.0.1"];
		};
		const { fetch } = fetcher(["example.com"], { lookup });
		const error = await refusal(fetch(get("http://secret.attacker.example/"), never));
		expect(error.code).toBe("denied");
		expect(error.message).toContain("secret.attacker.example");
		expect(error.message).toContain("--allow-host secret.attacker.example");
		expect(asked).toEqual([]);
	});

	test.each([
		["sub.example.com", false],
		["example.com.attacker.example", false],
		["notexample.com", false],
		["example.com", true],
		["EXAMPLE.COM", true],
		["example.com.", true],
	])("the entry example.com covers %s: %s", async (host, isCovered) => {
		const { fetch } = fetcher(["example.com", "127.0.0.1"], { lookup: loopback });
		const outcome = await fetch(get(`http://${host}:${port}/`), never).then(
			() => true,
			(error: RuntimeError) => error.code !== "denied",
		);
		expect(outcome).toBe(isCovered);
	});

	test("a wildcard covers names below, not the name itself", async () => {
		const { fetch } = fetcher(["*.example.com", "127.0.0.1"], { lookup: loopback });
		expect((await fetch(get(`http://a.b.example.com:${port}/`), never)).status).toBe(201);
		expect((await refusal(fetch(get(`http://example.com:${port}/`), never))).code).toBe("denied");
	});

	test("an entry with a port covers that port only", async () => {
		const { fetch } = fetcher([`example.com:${port}`, "127.0.0.1"], { lookup: loopback });
		expect((await fetch(get(`http://example.com:${port}/`), never)).status).toBe(201);
		expect((await refusal(fetch(get("http://example.com/"), never))).code).toBe("denied");
		const range = fetcher(["example.com", `127.0.0.1:${port + 1}`], { lookup: loopback });
		expect((await refusal(range.fetch(get(`http://example.com:${port}/`), never))).code).toBe("denied");
	});

	test.each([
		"127.0.0.1",
		"10.1.2.3",
		"169.254.169.254",
		"::1",
		"::ffff:127.0.0.1",
		"64:ff9b::7f00:1",
		"fd00::1",
		"100.64.0.1",
		"0.0.0.0",
		"2606::5efe:10.0.0.1",
	])("a granted name does not grant the private address %s, nor does the refusal tell it", async (address) => {
		const { fetch } = fetcher(["example.com"], { lookup: async () => [address] });
		const error = await refusal(fetch(get(`http://example.com:${port}/`), never));
		expect(error.code).toBe("denied");
		expect(error.message).toMatch(
			/^fetch of example\.com is refused: it leads to a [^:]* address, which a name does not grant\./,
		);
		expect(JSON.stringify([error.message, error.details])).not.toContain(address);
		expect(requests).toEqual([]);
	});

	test("one private address among public ones is enough to refuse", async () => {
		const { fetch } = fetcher(["example.com"], { lookup: async () => ["93.184.216.34", "127.0.0.1"] });
		expect((await refusal(fetch(get(`http://example.com:${port}/`), never))).code).toBe("denied");
	});

	test.each(["127.1", "0x7f.0.0.1", "2130706433", "0177.0.0.1", "[::1]", "[::ffff:7f00:1]", "localhost", "0"])(
		"the address in disguise %s is refused",
		async (host) => {
			const { fetch } = fetcher(["example.com", "localhost"]);
			expect((await refusal(fetch(get(`http://${host}:${port}/`), never))).code).toBe("denied");
			expect(requests).toEqual([]);
		},
	);

	test("a name whose address changes after the check (DNS rebinding) is connected to the address that was checked", async () => {
		let answers = 0;
		const lookup = async (): Promise<string[]> => (++answers === 1 ? ["127.0.0.1"] : ["127.0.0.2"]);
		const { fetch } = fetcher(["rebind.example", "127.0.0.1"], { lookup });
		expect((await fetch(get(`http://rebind.example:${port}/`), never)).status).toBe(201);
		expect(answers).toBe(1);
	});

	test("a connection made anew is checked anew", async () => {
		let address = "127.0.0.1";
		const { port: closing, server } = await serve((_, response) => {
			response.writeHead(200, { connection: "close" });
			response.end();
		});
		const { fetch } = fetcher(["rebind.example", "127.0.0.1"], { lookup: async () => [address] });
		expect((await fetch(get(`http://rebind.example:${closing}/`), never)).status).toBe(200);
		address = "127.0.0.2";
		const error = await refusal(fetch(get(`http://rebind.example:${closing}/`), never));
		expect(error.code).toBe("denied");
		expect(server.listening).toBe(true);
	});

	test("the next address is tried when the first does not answer", async () => {
		const { fetch } = fetcher(["example.com", "127.0.0.0/8"], { lookup: async () => ["127.0.0.9", "127.0.0.1"] });
		expect((await fetch(get(`http://example.com:${port}/`), never)).status).toBe(201);
	});

	test("a port of the runtime itself stays closed even to an explicit range", async () => {
		const { fetch } = fetcher(["127.0.0.0/8", "::1"], { forbiddenPorts: [port] });
		const error = await refusal(fetch(get(`http://127.0.0.1:${port}/`), never));
		expect(error.code).toBe("denied");
		expect(error.message).toContain("port of the runtime");
		expect(requests).toEqual([]);
	});

	test.each(["host", "Connection", "content-length", "Transfer-Encoding", "upgrade", "proxy-authorization", "Expect"])(
		"the header %s cannot be set",
		async (name) => {
			const { fetch } = fetcher([`127.0.0.1:${port}`]);
			const error = await refusal(fetch(get(`http://127.0.0.1:${port}/`, { headers: [[name, "x"]] }), never));
			expect(error.code).toBe("invalid");
			expect(error.message).toContain(name.toLowerCase());
			expect(requests).toEqual([]);
		},
	);

	test.each([
		["x-a", "1\r\nx-b: 2"],
		["x-a", "1\nx-b: 2"],
		["x-a\r\nx-b", "1"],
		["x a", "1"],
		["", "1"],
		["x-a", "\0"],
	])("a header cannot smuggle in another one: %j: %j", async (name, value) => {
		const { fetch } = fetcher([`127.0.0.1:${port}`]);
		expect((await refusal(fetch(get(`http://127.0.0.1:${port}/`, { headers: [[name, value]] }), never))).code).toBe("invalid");
		expect(requests).toEqual([]);
	});

	test.each([
		["CONNECT", "invalid"],
		["TRACE", "invalid"],
		["GET / HTTP/1.1\r\nx: y", "invalid"],
	])("the method %j is refused", async (method, code) => {
		const { fetch } = fetcher([`127.0.0.1:${port}`]);
		expect((await refusal(fetch(get(`http://127.0.0.1:${port}/`, { method }), never))).code).toBe(code);
	});

	test.each([
		["file:///etc/passwd", "unsupported"],
		["ftp://example.com/", "unsupported"],
		["data:text/plain,x", "unsupported"],
		["not a url", "invalid"],
		["http://user:secret@example.com/", "invalid"],
	])("%s is refused", async (url, code) => {
		const error = await refusal(fetcher(["example.com"]).fetch(get(url), never));
		expect(error.code).toBe(code);
		expect(error.message).not.toContain("secret");
	});

	test("a host that does not answer is unavailable, without a host path or stack in the message", async () => {
		const { server, port: gone } = await serve(() => {});
		await new Promise((resolve) => server.close(resolve));
		const error = await refusal(fetcher(["127.0.0.1"]).fetch(get(`http://127.0.0.1:${gone}/`), never));
		expect(error.code).toBe("unavailable");
		expect(error.message).toBe(`fetch of 127.0.0.1:${gone} failed (ECONNREFUSED).`);
	});

	test("every request is recorded with its status or its error", async () => {
		const entries: FetchRecord[] = [];
		const { fetch } = fetcher([`127.0.0.1:${port}`], { record: (entry) => entries.push(entry) });
		await fetch(get(`http://127.0.0.1:${port}/x`), never);
		await refusal(fetch(get("http://example.com/"), never));
		expect(entries).toEqual([
			{ url: `http://127.0.0.1:${port}/x`, method: "GET", status: 201 },
			{ url: "http://example.com/", method: "GET", error: expect.objectContaining({ code: "denied" }) },
		]);
	});

	test("environment variables for proxies are not looked at", async () => {
		process.env.http_proxy = "http://127.0.0.1:1";
		try {
			expect((await fetcher([`127.0.0.1:${port}`]).fetch(get(`http://127.0.0.1:${port}/`), never)).status).toBe(201);
		} finally {
			delete process.env.http_proxy;
		}
	});

	test.each(["http://x", "a b", "10.0.0.0/33", "example.com:99999", "*", "", "exa*mple.com", "10.0.0.0/8/8"])(
		"the malformed entry %j is refused when the run starts",
		(entry) => {
			expect(() => createFetch({ allowedHosts: [entry], limits: resolveLimits() })).toThrowError(
				expect.objectContaining({ code: "invalid", message: expect.stringContaining(JSON.stringify(entry)) }),
			);
		},
	);
});

describe("redirects", () => {
	const to =
		(location: string, status = 302): Handler =>
		(_, response) => {
			response.writeHead(status, { location });
			response.end("moved");
		};

	test("are followed, with the last URL", async () => {
		const { port: end } = await serve((_, response) => void response.end("here"));
		const { port } = await serve(to(`http://127.0.0.1:${end}/there`));
		const response = await fetcher(["127.0.0.1"]).fetch(get(`http://127.0.0.1:${port}/`), never);
		expect(response).toMatchObject({ url: `http://127.0.0.1:${end}/there`, redirected: true, status: 200 });
		expect(text(response.body)).toBe("here");
	});

	test("to a private address or another host are refused", async () => {
		const { port: inner, requests } = await serve((_, response) => void response.end("internal"));
		for (const location of [
			`http://127.0.0.1:${inner}/`,
			`http://[::1]:${inner}/`,
			"http://169.254.169.254/latest/",
			"http://other.example/",
		]) {
			const { port } = await serve(to(location));
			const { fetch } = fetcher(["public.example", `127.0.0.1:${port}`], { lookup: loopback });
			expect((await refusal(fetch(get(`http://public.example:${port}/`), never))).code).toBe("denied");
		}
		expect(requests).toEqual([]);
	});

	test("to other schemes are refused", async () => {
		const { port } = await serve(to("file:///etc/passwd"));
		expect((await refusal(fetcher(["127.0.0.1"]).fetch(get(`http://127.0.0.1:${port}/`), never))).code).toBe("unsupported");
	});

	test("are handed back, or are an error, when the request says so", async () => {
		const { port } = await serve(to("/elsewhere"));
		const { fetch } = fetcher(["127.0.0.1"]);
		const manual = await fetch(get(`http://127.0.0.1:${port}/`, { redirect: "manual" }), never);
		expect(manual.status).toBe(302);
		expect(manual.headers).toContainEqual(["location", "/elsewhere"]);
		const error = await refusal(fetch(get(`http://127.0.0.1:${port}/`, { redirect: "error" }), never));
		expect(error.code).toBe("denied");
	});

	test("end after five", async () => {
		const { port, requests } = await serve(to("/again"));
		const error = await refusal(fetcher(["127.0.0.1"]).fetch(get(`http://127.0.0.1:${port}/`), never));
		expect(error.code).toBe("unavailable");
		expect(requests).toHaveLength(6);
	});

	test.each([
		[301, "POST", "GET", ""],
		[302, "POST", "GET", ""],
		[303, "PUT", "GET", ""],
		[307, "POST", "POST", "body"],
		[308, "PUT", "PUT", "body"],
		[302, "PUT", "PUT", "body"],
	])("after %i a %s goes on as %s", async (status, method, expected, body) => {
		const { port } = await serve((request, response) => {
			if (request.url === "/") return to("/next", status)(request, response);
			let received = "";
			request.on("data", (chunk) => (received += chunk));
			request.on("end", () => response.end(JSON.stringify([request.method, received, request.headers["content-type"] ?? ""])));
		});
		const { fetch } = fetcher(["127.0.0.1"]);
		const response = await fetch(
			get(`http://127.0.0.1:${port}/`, {
				method,
				body: Buffer.from("body").toString("base64"),
				headers: [["content-type", "text/x"]],
			}),
			never,
		);
		expect(JSON.parse(text(response.body))).toEqual([expected, body, body === "" ? "" : "text/x"]);
	});

	test("to another origin drop credentials, to the same one keep them", async () => {
		const { port: other, requests: there } = await serve((_, response) => void response.end());
		const { port, requests: here } = await serve((request, response) =>
			to(request.url === "/" ? "/same" : `http://127.0.0.1:${other}/`)(request, response),
		);
		const headers: [string, string][] = [
			["Authorization", "Bearer secret"],
			["Cookie", "a=b"],
			["x-kept", "1"],
		];
		await fetcher(["127.0.0.1"]).fetch(get(`http://127.0.0.1:${port}/`, { headers }), never);
		expect(here[1]?.headers).toMatchObject({ authorization: "Bearer secret", cookie: "a=b" });
		expect(there[0]?.headers.authorization).toBeUndefined();
		expect(there[0]?.headers.cookie).toBeUndefined();
		expect(there[0]?.headers["x-kept"]).toBe("1");
	});
});

describe("TLS", () => {
	async function serveTls(): Promise<{ port: number; names: unknown[] }> {
		const names: unknown[] = [];
		const server = createTlsServer({ cert: testCertificate.certificate, key: testCertificate.key }, (request, response) => {
			names.push((request.socket as TLSSocket).servername, request.headers.host);
			response.end("safe");
		});
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		open.push({
			close: () => {
				server.closeAllConnections();
				return new Promise((resolve) => server.close(resolve));
			},
		});
		return { port: (server.address() as AddressInfo).port, names };
	}

	test("the certificate is checked for the name, though the connection goes to an address", async () => {
		const { port, names } = await serveTls();
		const options = { lookup: loopback, certificates: testCertificate.certificate };
		const { fetch } = fetcher(["secure.example", "other.example", "127.0.0.1"], options);
		expect(text((await fetch(get(`https://secure.example:${port}/`), never)).body)).toBe("safe");
		expect(names).toEqual(["secure.example", `secure.example:${port}`]);
		const error = await refusal(fetch(get(`https://other.example:${port}/`), never));
		expect(error).toMatchObject({ code: "unavailable", message: expect.stringContaining("ERR_TLS_CERT_ALTNAME_INVALID") });
	});

	test("a certificate that nobody has signed is refused, whatever the environment says", async () => {
		const { port } = await serveTls();
		process.env.NODE_TLS_REJECT_UNAUTHORIZED = "0";
		try {
			const { fetch } = fetcher(["secure.example", "127.0.0.1"], { lookup: loopback });
			const error = await refusal(fetch(get(`https://secure.example:${port}/`), never));
			expect(error).toMatchObject({ code: "unavailable", message: expect.stringMatching(/SELF_SIGNED/) });
		} finally {
			delete process.env.NODE_TLS_REJECT_UNAUTHORIZED;
		}
	});
});

describe("limits", () => {
	const limits = resolveLimits({ maxFetchResponseBytes: 1000 });

	test("a body over maxFetchResponseBytes is too large, announced or not", async () => {
		const { port } = await serve((request, response) => {
			if (request.url === "/announced") response.setHeader("content-length", 1001);
			response.write("x".repeat(600));
			response.end("x".repeat(401));
		});
		for (const path of ["/announced", "/chunked"]) {
			const error = await refusal(fetcher(["127.0.0.1"], { limits }).fetch(get(`http://127.0.0.1:${port}${path}`), never));
			expect(error.code).toBe("too-large");
			expect(error.details.limit).toEqual({ name: "maxFetchResponseBytes", value: 1000, unit: "bytes" });
		}
	});

	test("a body of exactly the limit is fine", async () => {
		const { port } = await serve((_, response) => void response.end("x".repeat(1000)));
		const response = await fetcher(["127.0.0.1"], { limits }).fetch(get(`http://127.0.0.1:${port}/`), never);
		expect(text(response.body)).toHaveLength(1000);
	});

	test("a compressed body is decompressed, and counts with its full size", async () => {
		const { port } = await serve((request, response) => {
			response.setHeader("content-encoding", "gzip");
			response.end(gzipSync(Buffer.alloc(request.url === "/bomb" ? 5_000_000 : 900, "z")));
		});
		const { fetch } = fetcher(["127.0.0.1"], { limits });
		expect(text((await fetch(get(`http://127.0.0.1:${port}/`), never)).body)).toBe("z".repeat(900));
		expect((await refusal(fetch(get(`http://127.0.0.1:${port}/bomb`), never))).code).toBe("too-large");
	});

	test.each(["constructor", "__proto__", "toString", "hasOwnProperty", "gzip, br", "x-unknown"])(
		"a body whose encoding is called %s comes as it was sent",
		async (encoding) => {
			const { port } = await serve((_, response) => {
				response.setHeader("content-encoding", encoding);
				response.end("plain");
			});
			const response = await fetcher(["127.0.0.1"]).fetch(get(`http://127.0.0.1:${port}/`), never);
			expect(text(response.body)).toBe("plain");
			expect(response.headers).toContainEqual(["content-encoding", encoding]);
		},
	);

	test.each([
		[
			"headers named as members of objects",
			"HTTP/1.1 200 OK\r\n__proto__: a\r\n__proto__: b\r\nconstructor: a\r\ntoString: a\r\ncontent-length: 0\r\n\r\n",
		],
		[
			"trailers named as members of objects",
			"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\ntrailer: x\r\n\r\n0\r\n__proto__: a\r\nconstructor: b\r\n\r\n",
		],
		["an upgrade", "HTTP/1.1 101 Switching Protocols\r\nconnection: upgrade\r\nupgrade: x\r\n\r\n"],
		["an early hint and nothing more", "HTTP/1.1 103 Early Hints\r\n\r\n"],
		["two answers", "HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"],
		["a length that is none", "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\nx"],
		["two lengths", "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nxx"],
		["a body cut short", "HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nx"],
		[
			"a compressed body cut short",
			`HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 99\r\n\r\n${gzipSync("x").subarray(0, 8).toString("latin1")}`,
		],
		["a keep-alive that is no number", "HTTP/1.1 200 OK\r\nkeep-alive: timeout=x\r\ncontent-length: 1\r\n\r\nx"],
		["several locations", "HTTP/1.1 302 Found\r\nlocation: a b\r\nlocation: http://\r\ncontent-length: 0\r\n\r\n"],
		["a status of 0", "HTTP/1.1 000 \r\n\r\n"],
		["nothing of HTTP", "\0\xff\r\n\r\n"],
		["nothing", ""],
	])("an answer with %s is an answer or an error of the fetch, never one of the process", async (_, answer) => {
		const server = createTcpServer((socket) => {
			socket.on("error", () => {});
			socket.once("data", () => socket.end(Buffer.from(answer, "latin1")));
		});
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		open.push({ close: () => new Promise((resolve) => server.close(resolve)) });
		const { port } = server.address() as AddressInfo;
		const outcome = await fetcher(["127.0.0.1"])
			.fetch(get(`http://127.0.0.1:${port}/`), never)
			.then(
				({ status }) => status,
				(error: unknown) => error,
			);
		if (typeof outcome !== "number") expect(outcome).toBeInstanceOf(RuntimeError);
		// An uncaught error would come now, and fail the test run.
		await new Promise((resolve) => setImmediate(resolve));
	});

	test("a body that is not compressed as it says is an error", async () => {
		const { port } = await serve((_, response) => {
			response.setHeader("content-encoding", "gzip");
			response.end("plain");
		});
		const error = await refusal(fetcher(["127.0.0.1"]).fetch(get(`http://127.0.0.1:${port}/`), never));
		expect(error.code).toBe("unavailable");
		expect(error.message).toContain("not compressed");
	});

	test("more requests than six at one time wait for their turn", async () => {
		let active = 0;
		let most = 0;
		const { port } = await serve((_, response) => {
			most = Math.max(most, ++active);
			setTimeout(() => {
				active--;
				response.end();
			}, 20);
		});
		const { fetch } = fetcher(["127.0.0.1"]);
		const all = await Promise.all(Array.from({ length: 20 }, () => fetch(get(`http://127.0.0.1:${port}/`), never)));
		expect(all).toHaveLength(20);
		expect(most).toBeGreaterThan(1);
		expect(most).toBeLessThanOrEqual(6);
	});
});

describe("what a run keeps open", () => {
	test("idle sockets are closed soon, though the server would keep them for minutes", async () => {
		const { port, server } = await serve((_, response) => {
			response.setHeader("keep-alive", "timeout=600");
			response.end();
		});
		server.keepAliveTimeout = 0;
		const { fetch } = fetcher(["127.0.0.1"]);
		await fetch(get(`http://127.0.0.1:${port}/`), never);
		expect(await connectionsOf(server)).toBe(1);
		while ((await connectionsOf(server)) > 0) await new Promise((resolve) => setTimeout(resolve, 50));
	});

	test("a socket serves one request after the other", async () => {
		let connections = 0;
		const { port, server } = await serve((_, response) => void response.end());
		server.on("connection", () => connections++);
		const { fetch } = fetcher(["127.0.0.1"]);
		for (let i = 0; i < 5; i++) await fetch(get(`http://127.0.0.1:${port}/`), never);
		// The second request may come before the first socket is seen to be free.
		expect(connections).toBeLessThanOrEqual(2);
	});

	test("no more than twelve sockets, however many origins are asked", async () => {
		let open = 0;
		let most = 0;
		const { port, server } = await serve((_, response) => void response.end("x"));
		server.on("connection", (socket) => {
			most = Math.max(most, ++open);
			socket.on("close", () => open--);
		});
		const { fetch } = fetcher(["*.example", "127.0.0.1"], { lookup: loopback });
		const all = await Promise.all(
			Array.from({ length: 60 }, (_, index) => fetch(get(`http://host-${index}.example:${port}/`), never)),
		);
		expect(all.map(({ status }) => status)).toEqual(all.map(() => 200));
		expect(most).toBeGreaterThan(6);
		// The server hears of a socket that is closed a little later than of one that is opened.
		expect(most).toBeLessThanOrEqual(18);
	});

	test("fetches that were aborted while they connected hold nothing up", async () => {
		const { port } = await serve((_, response) => void response.end("x"));
		// It never begins with TLS, so no connection to it is ever ready.
		const silent = createTcpServer((socket) => void socket.on("error", () => {}).resume());
		await new Promise<void>((resolve) => silent.listen(0, "127.0.0.1", resolve));
		open.push({ close: () => new Promise((resolve) => silent.close(resolve)) });
		const { port: silentPort } = silent.address() as AddressInfo;
		const { fetch } = fetcher(["*.example", "127.0.0.1"], { lookup: loopback });
		for (let i = 0; i < 15; i++) {
			const abort = new AbortController();
			const pending = refusal(fetch(get(`https://silent-${i}.example:${silentPort}/`), abort.signal));
			await new Promise((resolve) => silent.once("connection", resolve));
			abort.abort(new RuntimeError("cancelled", "Enough."));
			expect((await pending).message).toBe("Enough.");
		}
		expect((await fetch(get(`http://answers.example:${port}/`), never)).status).toBe(200);
		while ((await connectionsOf(silent)) > 0) await new Promise((resolve) => setTimeout(resolve, 5));
	});

	test("the request that a script made is let go before its answer", async () => {
		setFlagsFromString("--expose-gc");
		const collect = runInNewContext("gc") as () => void;
		const answers: (() => void)[] = [];
		const { port } = await serve((_, response) => void answers.push(() => response.end()));
		const { fetch } = fetcher(["127.0.0.1"]);
		const send = (): [Promise<unknown>, WeakRef<FetchRequest>] => {
			const request = get(`http://127.0.0.1:${port}/`, { method: "POST", body: "AAAA" });
			return [fetch(request, never), new WeakRef(request)];
		};
		const [pending, request] = send();
		while (request.deref() || answers.length === 0) {
			await new Promise((resolve) => setTimeout(resolve, 5));
			collect();
		}
		answers[0]?.();
		await pending;
	});
});

describe("stopping", () => {
	test.each(["before the answer", "within the body", "in the queue"])(
		"an abort %s rejects with the signal's reason and ends the connection",
		async (when) => {
			const { port, server } = await serve((_, response) => {
				if (when === "within the body") response.write("begin");
			});
			const { fetch } = fetcher(["127.0.0.1"]);
			const abort = new AbortController();
			const busy =
				when === "in the queue" ? Array.from({ length: 6 }, () => fetch(get(`http://127.0.0.1:${port}/`), abort.signal)) : [];
			const pending = refusal(fetch(get(`http://127.0.0.1:${port}/`), abort.signal));
			await new Promise((resolve) => server.once("request", () => setTimeout(resolve, 20)));
			abort.abort(new RuntimeError("timed-out", "The run is over its deadline."));
			expect(await pending).toMatchObject({ code: "timed-out" });
			for (const one of await Promise.allSettled(busy)) expect(one.status).toBe("rejected");
			while ((await connectionsOf(server)) > 0) await new Promise((resolve) => setTimeout(resolve, 5));
		},
	);

	test("a signal that is aborted already sends nothing", async () => {
		const { port, requests } = await serve((_, response) => void response.end());
		const reason = new RuntimeError("cancelled", "The run was cancelled.");
		expect(await refusal(fetcher(["127.0.0.1"]).fetch(get(`http://127.0.0.1:${port}/`), AbortSignal.abort(reason)))).toBe(reason);
		expect(requests).toEqual([]);
	});

	test("close ends what is under way and leaves no connection", async () => {
		const { port, server } = await serve((request, response) => {
			if (request.url === "/quick") response.end();
		});
		const { fetch, close } = fetcher(["127.0.0.1"]);
		await fetch(get(`http://127.0.0.1:${port}/quick`), never);
		const pending = refusal(fetch(get(`http://127.0.0.1:${port}/slow`), never));
		await new Promise((resolve) => server.once("request", resolve));
		await close();
		expect((await pending).code).toBe("cancelled");
		while ((await connectionsOf(server)) > 0) await new Promise((resolve) => setTimeout(resolve, 5));
		expect((await refusal(fetch(get(`http://127.0.0.1:${port}/quick`), never))).code).toBe("cancelled");
	});
});

const connectionsOf = (server: NetServer): Promise<number> =>
	new Promise((resolve, reject) => server.getConnections((error, count) => (error ? reject(error) : resolve(count))));
