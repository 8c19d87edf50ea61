import { type ChildProcess, spawn } from "node:child_process";
import { existsSync, readdirSync, readFileSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, describe, expect, onTestFinished, test } from "vitest";
import { runAtServer } from "../../host/cli/serving.ts";
import type { LogLine } from "../../host/index.ts";
import { type ServeOptions, serve } from "../../host/serve.ts";
import { findServing } from "../../host/serving.ts";
import { makeCertificates } from "../tokens/certificates.ts";
import { createDirectory, launcher } from "./cronium.ts";

const served = async (options: Partial<ServeOptions> = {}): Promise<string> => (await serving(options)).dataDirectory;

/** A data directory that is being served by this process. */
async function serving(options: Partial<ServeOptions>) {
	const dataDirectory = join(createDirectory(), "data");
	const server = await serve({
		dataDirectory,
		listen: { host: "127.0.0.1", port: 0 },
		controlListen: { host: "127.0.0.1", port: 0 },
		drainMs: 0,
		...options,
	});
	onTestFinished(() => server.close());
	return { dataDirectory, server };
}

function watch(signal = new AbortController().signal) {
	const lines: LogLine[] = [];
	return { lines, onLog: (line: LogLine) => void lines.push(line), signal };
}

const script = (source: string) => ({ script: { name: "served.js", source } });

describe("a run that is handed to the process which serves its data directory", () => {
	const ways: readonly (readonly [string, () => Partial<ServeOptions>])[] = [
		["HTTP on loopback", () => ({})],
		["a Unix socket", () => ({ controlListen: { path: join(createDirectory(), "control.sock") } })],
		["a certificate of the host's own", () => ({ tlsNames: ["cronium.example.com"] })],
		[
			"a certificate of the operator, with names of other places",
			() => {
				const { serverCert, serverKey } = makeCertificates(createDirectory());
				return { tls: { certificate: readFileSync(serverCert, "utf8"), key: readFileSync(serverKey, "utf8") } };
			},
		],
	];
	test.each(ways)("is like one of its own, over %s", async (_name, options) => {
		const data = await served(options());
		const watched = watch();
		const source = `import { getInput, getVariable, log } from "cronium";
			export default async () => { await log.info("seen", { n: 1.5 }); console.log("printed"); return [await getInput(), await getVariable("v")]; }`;
		const outcome = await runAtServer(data, { ...script(source), input: "[1.0]", variables: { v: "2.50" } }, watched);
		expect(outcome).toMatchObject({
			status: "succeeded",
			exitCode: 0,
			output: [[1], 2.5],
			outputText: "[[1],2.5]",
			usage: { hostCalls: expect.any(Number) },
		});
		expect(watched.lines).toMatchObject([
			{ sequence: 1, level: "info", message: "seen", fields: '{"n":1.5}' },
			{ sequence: 2, source: "stdout", message: "printed" },
		]);
		expect(outcome?.logs).toEqual(watched.lines);
	});

	test("fails as the script does, with its error", async () => {
		const outcome = await runAtServer(await served(), script("export default () => { throw new TypeError('wrong') }"), watch());
		expect(outcome).toMatchObject({ status: "failed", exitCode: 1, error: { code: "script-error", name: "TypeError" } });
	});

	test("is cancelled there by its signal, also when that came before", async () => {
		const data = await served();
		const source =
			'import { log } from "cronium"; await log.info("under way"); export default () => new Promise(() => setTimeout(() => {}, 60_000))';
		const abort = new AbortController();
		const outcome = await runAtServer(data, script(source), { onLog: () => abort.abort(), signal: abort.signal });
		expect(outcome).toMatchObject({ status: "cancelled", exitCode: 130 });
		expect(await runAtServer(data, script(source), watch(AbortSignal.abort()))).toMatchObject({ status: "cancelled" });
	});

	test("is refused as there, with code and message", async () => {
		const data = await served();
		await expect(runAtServer(data, { ...script(""), namespace: "a/b" }, watch())).rejects.toMatchObject({
			code: "invalid",
			message: expect.stringContaining("a/b"),
		});
	});

	test("needs the operator's credential", async () => {
		const file = join(createDirectory(), "operator.token");
		writeFileSync(file, "a-credential-of-the-operator", { mode: 0o600 });
		const data = await served({ operatorTokenFile: file });
		expect(await runAtServer(data, script("export default () => 1"), watch())).toMatchObject({ output: 1 });
		writeFileSync(file, "another-credential-of-somebody");
		await expect(runAtServer(data, script("export default () => 1"), watch())).rejects.toMatchObject({ code: "unauthenticated" });
	});

	test("is told to go by the control API where that asks for client certificates", async () => {
		const { serverCert, serverKey, ca } = makeCertificates(createDirectory());
		const read = (path: string) => readFileSync(path, "utf8");
		const data = await served({ tls: { certificate: read(serverCert), key: read(serverKey), clientIssuers: read(ca) } });
		await expect(runAtServer(data, script(""), watch())).rejects.toMatchObject({
			code: "unsupported",
			message: expect.stringContaining("--tls-client-ca"),
		});
	});
});

describe("the process that serves a data directory", () => {
	test.each<readonly [string, Partial<ServeOptions>, string | undefined]>([
		["on loopback in clear", {}, undefined],
		["on loopback over TLS", { tlsNames: ["localhost"] }, undefined],
		["on a socket", { tlsNames: ["localhost"], listen: { path: join(tmpdir(), `serving-${process.pid}.sock`) } }, undefined],
		["beyond it", { tlsNames: ["::1", "localhost"], listen: { host: "0.0.0.0", port: 0 } }, "https://[::1]:"],
		["with a URL of its own", { scriptUrl: "https://cronium.example.com/runtime" }, "https://cronium.example.com/runtime"],
	])("%s, has a URL for scripts on other machines, or none", async (_name, options, expected) => {
		const { server } = await serving(options);
		expect(server.scriptUrl === undefined ? undefined : server.scriptUrl.replace(/\d+$/, "")).toBe(expected);
	});

	const running = new Set<ChildProcess>();
	afterEach(() => {
		for (const child of running) child.kill("SIGKILL");
		running.clear();
	});

	async function startServer(data: string) {
		const child = spawn(
			process.execPath,
			[launcher, "serve", "--data", data, "--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0", "--drain", "0s"],
			{ stdio: "ignore" },
		);
		running.add(child);
		const exited = new Promise((resolve) => child.once("exit", resolve));
		await expect.poll(() => findServing(data), { timeout: 20_000 }).toBeDefined();
		return { child, exited };
	}

	test("is known to this account only, and not any more when it has ended", async () => {
		const data = join(createDirectory(), "data");
		const { child, exited } = await startServer(data);
		expect(await findServing(data)).toMatchObject({
			pid: child.pid,
			control: expect.stringMatching(/^http:\/\/127\.0\.0\.1:\d+$/),
		});
		expect(statSync(join(data, "serving.json")).mode & 0o777).toBe(0o600);
		expect(await runAtServer(data, script("export default () => 1"), watch())).toMatchObject({ output: 1 });
		child.kill("SIGTERM");
		await exited;
		expect(readdirSync(data).filter((name) => name.startsWith("serving"))).toEqual([]);
		expect(await runAtServer(data, script(""), watch())).toBeUndefined();
	});

	test("is not believed to live when it was killed, and a run that it had is said to be lost", async () => {
		const data = join(createDirectory(), "data");
		const { child, exited } = await startServer(data);
		const source =
			'import { log } from "cronium"; await log.info("under way"); export default () => new Promise(() => setTimeout(() => {}, 60_000))';
		const { signal } = new AbortController();
		await expect(runAtServer(data, script(source), { onLog: () => child.kill("SIGKILL"), signal })).rejects.toMatchObject({
			code: "unavailable",
			message: expect.stringMatching(/has ended while the run \S+ was under way; see cronium executions show/),
		});
		await exited;
		expect(existsSync(join(data, "serving.json"))).toBe(true);
		expect(await findServing(data)).toBeUndefined();
		// The next one takes its place.
		await startServer(data);
		expect(await runAtServer(data, script("export default () => 'again'"), watch())).toMatchObject({ output: "again" });
	});
});
