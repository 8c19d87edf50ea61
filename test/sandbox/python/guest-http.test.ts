import { createServer, type IncomingMessage, type ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import { text } from "node:stream/consumers";
import { gzipSync } from "node:zlib";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { resolveLimits } from "../../../host/contract/limits.ts";
import { createFetch, type Fetcher } from "../../../host/sandbox/fetch.ts";
import { imageTimeoutMs } from "../../python-image.ts";
import type { ScriptRunner } from "../engines/script-runner.ts";
import { createPythonRunner, printedBy, runPython } from "./python-runner.ts";

let runner: ScriptRunner;
beforeAll(async () => {
	runner = await createPythonRunner();
}, imageTimeoutMs);
afterAll(() => runner[Symbol.dispose]());

const server = createServer(answer);
let requests: string[] = [];
let fetcher: Fetcher;
let url = "";
beforeAll(() => new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve)));
afterAll(() => {
	server.closeAllConnections();
	return new Promise((resolve) => server.close(resolve));
});
beforeEach(() => {
	requests = [];
	const host = `127.0.0.1:${(server.address() as AddressInfo).port}`;
	url = `http://${host}`;
	fetcher = createFetch({ allowedHosts: [host], limits: resolveLimits() });
});
afterEach(() => fetcher.close());

async function answer(request: IncomingMessage, response: ServerResponse): Promise<void> {
	requests.push(`${request.method} ${request.url} ${await text(request)}`);
	const { pathname } = new URL(request.url as string, "http://a");
	if (pathname === "/slow") return;
	if (pathname === "/redirect") response.writeHead(302, { location: "/target" }).end();
	else if (pathname === "/elsewhere") response.writeHead(302, { location: "http://169.254.169.254/" }).end();
	else if (pathname === "/missing") response.writeHead(404).end("nothing here");
	else if (pathname === "/empty") response.writeHead(204).end();
	else if (pathname === "/headers") response.end(JSON.stringify(request.rawHeaders));
	else if (pathname === "/compressed") response.writeHead(200, { "content-encoding": "gzip" }).end(gzipSync("plain"));
	else response.writeHead(200, "Fine", { "content-type": "text/plain; charset=utf-8", "set-cookie": ["a=1", "b=2"] }).end("äöü");
}

const printed = (source: string): Promise<string[]> => printedBy(runner, source.replaceAll("URL", url), { fetch: fetcher.fetch });
const failed = async (source: string) =>
	(await runPython(runner, source.replaceAll("URL", url), { fetch: fetcher.fetch })).failure;

describe("urllib.request", () => {
	test("reads and writes over the hosts of the run", async () => {
		const source = `
			from urllib.request import Request, urlopen
			with urlopen("URL/one?a=1#part") as response:
			    print(response.status, response.reason, response.read().decode(), response.headers.get_all("Set-Cookie"), response.headers.get_content_charset())
			with urlopen(Request("URL/two", data=b"{}", method="PUT", headers={"Content-Type": "application/json"})) as response: print(response.status)
			with urlopen("URL/three", data=b"a=1") as response: print(response.url.endswith("/three"))
			print(urlopen("URL/empty").read(), urlopen("URL/compressed").read(), urlopen("URL/compressed").headers["content-encoding"])`;
		expect(await printed(source)).toEqual(["200 Fine äöü ['a=1', 'b=2'] utf-8", "200", "True", "b'' b'plain' None"]);
		expect(requests.slice(0, 3)).toEqual(["GET /one?a=1 ", "PUT /two {}", "POST /three a=1"]);
	});

	test("follows redirects one by one, each as a request of its own that must be allowed", async () => {
		expect(await printed('from urllib.request import urlopen\nprint(urlopen("URL/redirect").url)')).toEqual([`${url}/target`]);
		expect(requests).toEqual(["GET /redirect ", "GET /target "]);
		expect(await failed('from urllib.request import urlopen\nurlopen("URL/elsewhere")')).toMatchObject({
			name: "urllib.error.URLError",
			message: expect.stringContaining("169.254.169.254"),
		});
	});

	test("raises HTTPError for a status that is one", async () => {
		const source = `
			import urllib.error, urllib.request
			try: urllib.request.urlopen("URL/missing")
			except urllib.error.HTTPError as error: print(error.code, error.reason, error.read())`;
		expect(await printed(source)).toEqual(["404 Not Found b'nothing here'"]);
	});

	test.each([
		["http://other.example/", /^<urlopen error fetch of other\.example is refused/],
		["https://other.example/", /^<urlopen error fetch of other\.example is refused/],
		["http://[::1]/", /^<urlopen error fetch of \[::1\] is refused/],
		["http://b\u00fccher.example:81/", /^<urlopen error fetch of xn--bcher-kva\.example:81 is refused/],
		["http://other.example:80/", /^<urlopen error fetch of other\.example is refused/],
		["file:///etc/passwd", /^<urlopen error \[Errno 44\] No such file or directory: '\/etc\/passwd'>$/],
		["ftp://ftp.example/x", /^<urlopen error .*no sockets/],
	])("raises URLError for %s", async (address, message) => {
		expect(await failed(`from urllib.request import urlopen\nurlopen(${JSON.stringify(address)})`)).toMatchObject({
			name: "urllib.error.URLError",
			message: expect.stringMatching(message),
		});
		expect(requests).toEqual([]);
	});

	test("says which host is not allowed when the run has none at all", async () => {
		const { failure } = await runPython(runner, 'from urllib.request import urlopen\nurlopen("https://api.example/")');
		expect(failure?.message).toBe(
			"<urlopen error fetch of api.example is refused: the run was given no hosts. --allow-host api.example would allow it.>",
		);
	});

	test("gives up after its timeout, and the run goes on", async () => {
		const source = `
			import socket, urllib.request
			try: urllib.request.urlopen("URL/slow", timeout=0.05)
			except TimeoutError as error: print("timeout:", error)
			socket.setdefaulttimeout(0.05)
			try: urllib.request.urlopen("URL/slow")
			except TimeoutError as error: print("timeout:", error)
			print(urllib.request.urlopen("URL/", timeout=20).status)`;
		expect(await printed(source)).toEqual(["timeout: timed out", "timeout: timed out", "200"]);
	});
});

describe("http.client", () => {
	test("sends what is written to it, in pieces too, and keeps its connection", async () => {
		const source = `
			import http.client
			connection = http.client.HTTPConnection("URL"[7:])
			connection.request("POST", "/chunks", body=iter([b"one", b"two"]), encode_chunked=True, headers={"Transfer-Encoding": "chunked"})
			print(connection.getresponse().read().decode())
			connection.putrequest("PUT", "/pieces")
			connection.putheader("Content-Length", "4")
			connection.endheaders()
			connection.send(b"ab")
			connection.send(b"cd")
			response = connection.getresponse()
			print(response.status, response.getheader("content-type"), response.read(1), response.read())
			connection.request("HEAD", "/head")
			response = connection.getresponse()
			print(response.status, response.read())`;
		expect(await printed(source)).toEqual([
			"äöü",
			"200 text/plain; charset=utf-8 b'\\xc3' b'\\xa4\\xc3\\xb6\\xc3\\xbc'",
			"200 b''",
		]);
		expect(requests).toEqual(["POST /chunks onetwo", "PUT /pieces abcd", "HEAD /head "]);
	});

	test("sends the script's headers, and none that belongs to a connection", async () => {
		const source = `
			import http.client, json
			connection = http.client.HTTPConnection("URL"[7:])
			connection.request("GET", "/headers", headers={"X-Order": "7", "Connection": "close", "Authorization": "Bearer x"})
			raw = json.loads(connection.getresponse().read())
			names = dict(zip([name.lower() for name in raw[::2]], raw[1::2]))
			print(names["x-order"], names["authorization"], names["accept-encoding"], names["host"] == "URL"[7:])`;
		expect(await printed(source)).toEqual(["7 Bearer x identity True"]);
	});

	test.each([
		['"Host": "internal.example"', "The header host belongs to the connection; a script cannot set it."],
		['"Proxy-Authorization": "x"', "The header proxy-authorization belongs to the connection; a script cannot set it."],
		['"Upgrade": "websocket"', "The header upgrade belongs to the connection; a script cannot set it."],
		['"X-A": "1\\r\\nHost: internal.example"', "Invalid header value b'1\\r\\nHost: internal.example'"],
	])("refuses the header %s", async (header, message) => {
		const source = `import http.client\nhttp.client.HTTPConnection("URL"[7:]).request("GET", "/", headers={${header}})`;
		expect(await failed(source)).toMatchObject({ name: "ValueError", message });
		expect(requests).toEqual([]);
	});

	test("splits no request in two, whatever is sent by hand", async () => {
		const source = `
			import http.client
			connection = http.client.HTTPConnection("URL"[7:])
			connection.connect()
			connection.sock.sendall(b"GET /one HTTP/1.1\\r\\nHost: x\\r\\n\\r\\nGET /two HTTP/1.1\\r\\n\\r\\n")
			try: connection.sock.makefile("rb").readline()
			except (OSError, ValueError): print("refused")
			for junk in (b"", b"\\r\\n\\r\\n", b"GET\\r\\n\\r\\n", b"GET http://other.example/ HTTP/1.1\\r\\n\\r\\n", b"CONNECT a:1 HTTP/1.1\\r\\n\\r\\n", b"POST / HTTP/1.1\\r\\nTransfer-Encoding: chunked\\r\\n\\r\\nff\\r\\n"):
			    connection.sock.sendall(junk)
			    try: print(junk, connection.sock.makefile("rb").read())
			    except (OSError, ValueError): pass`;
		expect(await printed(source)).toEqual(["refused"]);
		expect(requests).toEqual([]);
	});

	test("raises what the host refuses where the answer is asked for, and nothing beside it", async () => {
		const source = `
			import http.client
			connection = http.client.HTTPConnection("URL"[7:])
			connection.putrequest("GET", "http://other.example/", skip_host=True)
			connection.endheaders()
			try: connection.getresponse()
			except PermissionError as error: print(error)`;
		expect(await printed(source)).toEqual([expect.stringMatching(/^fetch of other\.example is refused/)]);
		expect(runner.errors).toBe("");
	});

	test("has no tunnels, and leaves TLS to the host", async () => {
		const source = `
			import http.client
			connection = http.client.HTTPSConnection("proxy.example")
			connection.set_tunnel("api.example")
			try: connection.request("GET", "/")
			except OSError as error: print(error)
			try: http.client.HTTPSConnection("api.example", timeout=3).request("GET", "/")
			except PermissionError as error: print(error)`;
		expect(await printed(source)).toEqual([
			"The sandbox reaches no proxies: the host connects to the servers of --allow-host itself.",
			expect.stringMatching(/^fetch of api\.example is refused/),
		]);
	});
});
