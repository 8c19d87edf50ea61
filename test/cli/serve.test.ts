import { type ChildProcess, execFileSync, spawn } from "node:child_process";
import { existsSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { request as httpRequest } from "node:http";
import { request } from "node:https";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, describe, expect, test } from "vitest";
import { commandOf, environmentOf, guestProcesses, isRunning } from "../sandbox/guest-processes.ts";
import { type ClientName, makeCertificates, readClient } from "../tokens/certificates.ts";
import { createDirectory, cronium } from "./cronium.ts";

const program = new URL("../../bin/cronium.js", import.meta.url).pathname;
const running = new Set<ChildProcess>();

afterEach(() => {
	for (const child of running) child.kill("SIGKILL");
	running.clear();
});

/** A server in a process of its own, once it listens. */
async function startServer(argv: readonly string[], env: NodeJS.ProcessEnv = {}) {
	const child = spawn(process.execPath, [program, "serve", ...argv], {
		stdio: ["ignore", "pipe", "pipe"],
		// As a shell starts it: with a process group of its own.
		detached: true,
		env: { PATH: process.env.PATH, HOME: createDirectory(), ...env },
	});
	running.add(child);
	const exited = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
	const lines: string[] = [];
	let url: string | undefined;
	let controlUrl: string | undefined;
	for await (const line of createInterface({ input: child.stderr })) {
		lines.push(line);
		url ??= /runtime API on (\S+)/.exec(line)?.[1];
		controlUrl ??= /control API on ([^\s,]+)/.exec(line)?.[1];
		if (url && controlUrl) break;
	}
	if (!url || !controlUrl) throw new Error(`cronium serve did not start:\n${lines.join("\n")}`);
	child.stderr.resume();
	return { child, exited, lines, url, controlUrl };
}

const onLoopback = ["--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0"];

function operator(data: string): Record<string, string> {
	const credential = readFileSync(join(data, "keys", "operator.token"), "utf8").trim();
	return { authorization: `Bearer ${credential}`, "content-type": "application/json" };
}

describe("cronium serve", () => {
	test("runs scripts for an orchestrator, serves the helpers of others, and keeps its secrets to itself", async () => {
		const data = join(createDirectory(), "data");
		const server = await startServer([...onLoopback, "--data", data]);
		const headers = operator(data);
		for (const file of ["operator.token"]) expect(statSync(join(data, "keys", file)).mode & 0o777).toBe(0o600);
		expect(statSync(join(data, "keys")).mode & 0o777).toBe(0o700);
		const started = await fetch(`${server.controlUrl}/control/v1/runs`, {
			method: "POST",
			headers,
			body: JSON.stringify({ script: { name: "a.js", source: "export default (n) => n + 1" }, input: 1 }),
		});
		const { id } = (await started.json()) as { id: string };
		const ended = await fetch(`${server.controlUrl}/control/v1/runs/${id}/outcome?waitMs=20000`, { headers });
		expect(await ended.json()).toMatchObject({ status: "succeeded", output: 2 });

		const external = await fetch(`${server.controlUrl}/control/v1/runs`, {
			method: "POST",
			headers,
			body: '{"mode":"external","input":"in"}',
		});
		const run = (await external.json()) as { id: string };
		const minted = await fetch(`${server.controlUrl}/control/v1/runs/${run.id}/tokens`, { method: "POST", headers, body: "{}" });
		const { token } = (await minted.json()) as { token: string };
		const input = await fetch(`${server.url}/v1/input`, { headers: { authorization: `Bearer ${token}` } });
		expect(await input.json()).toBe("in");
		// One credential is not good for the other door.
		expect((await fetch(`${server.url}/v1/input`, { headers })).status).toBe(401);
		const asOperator = { authorization: `Bearer ${token}` };
		expect((await fetch(`${server.controlUrl}/control/v1/runs`, { headers: asOperator })).status).toBe(401);
		expect(server.lines.join("\n")).not.toContain(headers.authorization?.slice(7));
		expect((await fetch(`${server.url}/openapi.json`)).status).toBe(200);
	});

	test("ends gracefully: what is under way finishes, new runs are refused, nothing is left behind", async () => {
		const data = join(createDirectory(), "data");
		const server = await startServer([...onLoopback, "--data", data]);
		const headers = operator(data);
		const body = JSON.stringify({
			script: { name: "slow.js", source: "await new Promise((r) => setTimeout(r, 1_500)); export default () => 'finished'" },
		});
		const started = await fetch(`${server.controlUrl}/control/v1/runs`, { method: "POST", headers, body });
		const { id } = (await started.json()) as { id: string };
		const waiting = fetch(`${server.controlUrl}/control/v1/runs/${id}/outcome?waitMs=20000`, { headers });
		server.child.kill("SIGTERM");
		// Answered while the run goes on; a moment later there is nobody to answer.
		const ready = await pollUntil(async () => (await fetch(`${server.controlUrl}/readyz`)).status === 503);
		expect(ready).toBe(true);
		const refused = await fetch(`${server.controlUrl}/control/v1/runs`, { method: "POST", headers, body });
		expect(await refused.json()).toMatchObject({ code: "unavailable" });
		expect(await (await waiting).json()).toMatchObject({ status: "succeeded", output: "finished" });
		expect(await server.exited).toBe(0);
	});

	test.skipIf(process.platform !== "linux")(
		"runs scripts in processes without environment and rights, which a signal to its group leaves to finish",
		async () => {
			const data = join(createDirectory(), "data");
			const server = await startServer([...onLoopback, "--data", data], { CRONIUM_SECRET: "secret" });
			const headers = operator(data);
			const source = "await new Promise((resolve) => setTimeout(resolve, 1_500)); export default () => 'finished'";
			const id = await startRun(server.controlUrl, headers, { script: { name: "slow.js", source } });
			const waiting = fetch(`${server.controlUrl}/control/v1/runs/${id}/outcome?waitMs=20000`, { headers });
			const guests = await pollFor(() => guestProcesses(server.child.pid as number));
			expect(guests.map(environmentOf)).toEqual([""]);
			expect(guests.map(commandOf)).toEqual([expect.stringMatching(/ --permission /)]);
			// Of the data directory they may read the images of Python, and nothing else.
			expect(guests.map(commandOf).join().replaceAll(`--allow-fs-read=${data}/images/`, "")).not.toContain(data);
			process.kill(-(server.child.pid as number), "SIGINT");
			expect(await (await waiting).json()).toMatchObject({ status: "succeeded", output: "finished" });
			expect(await server.exited).toBe(0);
			expect(guests.filter(isRunning)).toEqual([]);
		},
	);

	test.each(["process", "threads"])("no script reaches the server's own ports, with guests in %s", async (guests) => {
		const data = join(createDirectory(), "data");
		const server = await startServer([...onLoopback, "--data", data, "--guests", guests]);
		const headers = operator(data);
		const ports = [server.url, server.controlUrl].map((url) => new URL(url).port);
		const urls = ports.flatMap((port) => [
			`http://127.0.0.1:${port}/healthz`,
			`http://127.0.0.9:${port}/`,
			`http://[::ffff:127.0.0.1]:${port}/`,
		]);
		const source = `export default () => Promise.all(${JSON.stringify(urls)}.map((url) => fetch(url).catch(({ code, message }) => [code, message])))`;
		const id = await startRun(server.controlUrl, headers, {
			script: { name: "inward.js", source },
			allowedHosts: ["127.0.0.0/8", "::1/128", "::ffff:0:0/96"],
		});
		const outcome = await fetch(`${server.controlUrl}/control/v1/runs/${id}/outcome?waitMs=20000`, { headers });
		const { output } = (await outcome.json()) as { output: unknown[] };
		expect(output).toEqual(urls.map(() => ["denied", expect.stringContaining("a port of the runtime itself")]));
	});

	test("a second signal ends it at once", async () => {
		const data = join(createDirectory(), "data");
		const server = await startServer([...onLoopback, "--data", data]);
		await fetch(`${server.controlUrl}/control/v1/runs`, { method: "POST", headers: operator(data), body: '{"mode":"external"}' });
		server.child.kill("SIGTERM");
		await pollUntil(async () => (await fetch(`${server.controlUrl}/readyz`)).status === 503);
		server.child.kill("SIGTERM");
		expect(await server.exited).toBe(130);
	});

	test("a directory has one server, and the second one names the first", async () => {
		const data = join(createDirectory(), "data");
		const server = await startServer([...onLoopback, "--data", data]);
		const second = await cronium(["serve", ...onLoopback, "--data", data]);
		expect(second).toMatchObject({ code: 125, stderr: expect.stringContaining(`Process ${server.child.pid} (host `) });
	});

	test("takes the configuration file, then the environment, then the command line", async () => {
		const directory = createDirectory();
		const file = join(directory, "cronium.toml");
		writeFileSync(
			file,
			`data = "${join(directory, "from-file")}"\nlisten = "unix:${join(directory, "file.sock")}"\ncontrol-listen = "unix:${join(directory, "c-file.sock")}"\n[limits]\nmaxWallTimeMs = "1m"\nmaxWorkers = 2\nmaxLogBytes = 1000\n`,
		);
		const server = await startServer(
			["--config", file, "--drain", "10ms", "--listen", `unix:${join(directory, "flag.sock")}`, "--limit", "maxLogBytes=3000"],
			{
				CRONIUM_LISTEN: `unix:${join(directory, "environment.sock")}`,
				CRONIUM_CONTROL_LISTEN: `unix:${join(directory, "c-env.sock")}`,
				CRONIUM_LIMITS: "maxWorkers=3,maxLogBytes=2000",
			},
		);
		expect(server.url).toBe(`unix:${join(directory, "flag.sock")}`);
		expect(server.controlUrl).toBe(`unix:${join(directory, "c-env.sock")}`);
		expect(statSync(join(directory, "c-env.sock")).mode & 0o777).toBe(0o600);
		const { text } = await overSocket(
			join(directory, "c-env.sock"),
			"POST",
			"/control/v1/runs",
			operator(join(directory, "from-file")),
			{
				mode: "external",
			},
		);
		expect(JSON.parse(text).limits).toMatchObject({ maxWallTimeMs: 60_000, maxWorkers: 3, maxLogBytes: 3_000 });
		server.child.kill("SIGINT");
		expect(await server.exited).toBe(0);
		expect(existsSync(join(directory, "c-env.sock"))).toBe(false);
	});

	test.each([
		[["--listen", "0.0.0.0:0"], "beyond loopback"],
		[["--control-listen", "[::]:0"], "beyond loopback"],
		[["--listen", "8080"], "HOST:PORT"],
		[["--tls-cert", "/nowhere.pem"], "cannot be read (ENOENT)"],
		[["--tls-names", "a b"], '"a b"; it must be names of hosts or IP addresses'],
		[["--tls-names", ","], "it must be names"],
		[["--url", "http://cronium.example.com"], "must be https://"],
		[["--url", "https://name:secret@cronium.example.com"], "must be https://"],
		[["--limit", "maxThings=1"], 'no limit named "maxThings"'],
		[["--guests", "here"], "process or threads"],
		[["--config", "/nowhere.toml"], "cannot be read"],
		[["extra"], "one argument too many"],
	])("refuses %j", async (argv, message) => {
		const result = await cronium(["serve", "--data", join(createDirectory(), "data"), ...argv]);
		expect(result).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
	});

	test("names what is wrong in the configuration file", async () => {
		const file = join(createDirectory(), "c.toml");
		for (const [text, message] of [
			["listen = ", "is not TOML"],
			["liste = 'x'", 'has "liste"'],
			["listen = 1", "listen in"],
			["[limits]\nmaxWorkers = 'many'", "maxWorkers"],
		] as const) {
			writeFileSync(file, text);
			const result = await cronium(["serve", "--config", file]);
			expect(result, text).toMatchObject({ code: 2, stderr: expect.stringContaining(message) });
		}
	});

	test("beyond loopback it shows a certificate of its own authority, which the data directory says whom to trust for", async () => {
		const data = join(createDirectory(), "data");
		const beyond = ["--listen", "0.0.0.0:0", "--control-listen", "0.0.0.0:0"];
		const server = await startServer([...beyond, "--data", data, "--tls-names", "localhost,127.0.0.1,::1"]);
		const url = /scripts on SSH hosts reach it by (\S+)/.exec(server.lines.join("\n"))?.[1] as string;
		const { control, trust } = JSON.parse(readFileSync(join(data, "serving.json"), "utf8"));
		expect(url).toMatch(/^https:\/\/localhost:\d+$/);
		for (const [where, path] of [
			[url, "/healthz"],
			[control, "/readyz"],
		]) {
			const { hostname, port } = new URL(where);
			expect(await overTls({ host: hostname, port, ca: trust.authority }, "GET", path, {})).toMatchObject({ status: 200 });
			await expect(overTls({ host: hostname, port }, "GET", path, {})).rejects.toThrow();
		}
	});

	test("over TLS it takes clients with a certificate, and a token that is bound to one from nobody else", async () => {
		const directory = createDirectory();
		const data = join(directory, "data");
		const files = makeCertificates(directory);
		const server = await startServer([
			...["--listen", "127.0.0.1:0", "--control-listen", `unix:${join(directory, "c.sock")}`, "--data", data],
			...["--tls-cert", files.serverCert, "--tls-key", files.serverKey, "--tls-client-ca", files.ca],
		]);
		expect(server.url).toMatch(/^https:/);
		const thumbprint = execFileSync("sh", [
			"-c",
			`openssl x509 -in ${files.clientCert} -outform der | openssl dgst -sha256 -binary`,
		]);
		const control = (path: string, body: object) =>
			overTls({ socketPath: join(directory, "c.sock"), ...readClient(files, "client") }, "POST", path, operator(data), body);
		const { id } = JSON.parse((await control("/control/v1/runs", { mode: "external" })).text) as { id: string };
		const { token } = JSON.parse(
			(await control(`/control/v1/runs/${id}/tokens`, { certificateThumbprint: thumbprint.toString("base64url") })).text,
		) as { token: string };
		const call = (name: ClientName | undefined) => {
			const { hostname, port } = new URL(server.url);
			const connection = { host: hostname, port, ...(name ? readClient(files, name) : { ca: readFileSync(files.ca, "utf8") }) };
			return overTls(connection, "GET", "/v1/input", { authorization: `Bearer ${token}` });
		};
		expect(await call("client")).toMatchObject({ status: 200 });
		expect(await call("other")).toMatchObject({ status: 401, text: expect.stringContaining("bound to a client certificate") });
		await expect(call(undefined)).rejects.toThrow();
		// A renewed token is bound to the same certificate.
		const { hostname, port } = new URL(server.url);
		const renewed = await overTls({ host: hostname, port, ...readClient(files, "client") }, "POST", "/v1/token", {
			authorization: `Bearer ${token}`,
		});
		const renewedToken = (JSON.parse(renewed.text) as { token: string }).token;
		const refused = await overTls({ host: hostname, port, ...readClient(files, "other") }, "GET", "/v1/input", {
			authorization: `Bearer ${renewedToken}`,
		});
		expect(refused.status).toBe(401);
	});
});

describe("cronium keys", () => {
	test("rotate makes a new key, with which a running server signs, and the tokens before stay good", async () => {
		const data = join(createDirectory(), "data");
		const server = await startServer([...onLoopback, "--data", data]);
		const headers = operator(data);
		const mint = async () => {
			const made = await fetch(`${server.controlUrl}/control/v1/runs/${id}/tokens`, { method: "POST", headers, body: "{}" });
			return ((await made.json()) as { token: string }).token;
		};
		const started = await fetch(`${server.controlUrl}/control/v1/runs`, { method: "POST", headers, body: '{"mode":"external"}' });
		const { id } = (await started.json()) as { id: string };
		const before = await mint();
		const { stdout } = await cronium(["keys", "rotate", "--data", data]);
		const keyOf = (token: string) => JSON.parse(Buffer.from(token.split(".")[0] as string, "base64url").toString()).kid;
		let after = await mint();
		await pollUntil(async () => {
			after = await mint();
			return keyOf(after) === stdout.trim();
		});
		expect(keyOf(after)).toBe(stdout.trim());
		for (const token of [before, after])
			expect((await fetch(`${server.url}/v1/input`, { headers: { authorization: `Bearer ${token}` } })).status).toBe(200);
		const listed = await cronium(["keys", "list", "--data", data, "--json"]);
		expect(JSON.parse(listed.stdout)).toMatchObject([{ id: stdout.trim() }, { retiredAt: expect.any(String) }]);
		expect(listed.stdout).not.toContain('"d"');
	});

	test("operator makes a new credential, which the next server takes", async () => {
		const data = join(createDirectory(), "data");
		await cronium(["keys", "operator", "--data", data]);
		const first = operator(data).authorization;
		await cronium(["keys", "operator", "--data", data]);
		expect(operator(data).authorization).not.toBe(first);
		expect(existsSync(join(data, "keys", "operator.token.new"))).toBe(false);
	});
});

async function startRun(controlUrl: string, headers: Record<string, string>, run: object): Promise<string> {
	const started = await fetch(`${controlUrl}/control/v1/runs`, { method: "POST", headers, body: JSON.stringify(run) });
	return ((await started.json()) as { id: string }).id;
}

/** What there is as soon as there is something. */
async function pollFor<T>(look: () => readonly T[]): Promise<readonly T[]> {
	await pollUntil(async () => look().length > 0);
	return look();
}

async function pollUntil(check: () => Promise<boolean>): Promise<boolean> {
	for (let attempt = 0; attempt < 200; attempt++) {
		if (await check().catch(() => false)) return true;
		await new Promise((resolve) => setTimeout(resolve, 20));
	}
	return false;
}

type Answer = { readonly status: number; readonly text: string };

function overSocket(socketPath: string, method: string, path: string, headers: object, body?: object): Promise<Answer> {
	return send(httpRequest({ socketPath, method, path, headers: { ...headers } }), body);
}

function overTls(connection: object, method: string, path: string, headers: object, body?: object): Promise<Answer> {
	return send(request({ ...connection, agent: false, servername: "localhost", method, path, headers: { ...headers } }), body);
}

function send(call: ReturnType<typeof request>, body: object | undefined): Promise<Answer> {
	return new Promise((resolve, reject) => {
		call.on("error", reject);
		call.on("response", (response) => {
			let text = "";
			response.setEncoding("utf8").on("data", (chunk: string) => {
				text += chunk;
			});
			response.on("end", () => resolve({ status: response.statusCode ?? 0, text }));
		});
		call.end(body && JSON.stringify(body));
	});
}
