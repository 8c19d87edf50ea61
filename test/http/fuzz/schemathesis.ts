import { execFile } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { promisify } from "node:util";
import { openServer } from "./campaign.ts";
import { HttpClient } from "./http-client.ts";

const run = promisify(execFile);

/** What of its checks holds here: the others take a refusal for a fault when a value fits its schema and means nothing. */
const checks = [
	"not_a_server_error",
	"content_type_conformance",
	"response_headers_conformance",
	"response_schema_conformance",
	"ignored_auth",
];

/** Lets Schemathesis ask both servers. Returns what it found; without it, says why, and finds nothing. */
export async function runSchemathesis(directory: string, seed: number, say: (line: string) => void): Promise<readonly string[]> {
	const found = await findProgram(directory);
	if ("missing" in found) {
		say(`Schemathesis is skipped: ${found.missing}`);
		return [];
	}
	const place = join(directory, "schemathesis");
	await mkdir(place, { recursive: true });
	const server = await openServer(place);
	try {
		const operator = readFileSync(server.operatorTokenFile, "utf8").trim();
		const token = await mintToken(server.controlUrl, operator);
		const problems: string[] = [];
		for (const [url, credential] of [
			[`${server.url}/openapi.json`, token],
			[`${server.controlUrl}/control/openapi.json`, operator],
		] as const) {
			// In a file: everybody on the machine can read command lines.
			writeFileSync(join(place, "schemathesis.toml"), `headers = { Authorization = "Bearer ${credential}" }\n`, { mode: 0o600 });
			const argv = [
				"run",
				url,
				"--url",
				new URL(url).origin,
				"--checks",
				checks.join(","),
				"--phases",
				"examples,coverage,fuzzing",
			];
			const options = ["--max-examples", "50", "--seed", String(seed), "--request-timeout", "10", "--continue-on-failure"];
			say(`Schemathesis asks ${url}`);
			const failure = await run(found.program, [...argv, ...options], { cwd: place, maxBuffer: 64 * 1024 * 1024 }).then(
				({ stdout }) => void say(lastLines(stdout, 12)),
				(error: { readonly stdout?: string }) => error.stdout ?? String(error),
			);
			if (failure !== undefined) problems.push(`Schemathesis: ${url}\n${lastLines(failure, 150)}`);
		}
		return problems;
	} finally {
		await server.close();
	}
}

/** The program on the machine, or one that pip installs into the directory. */
async function findProgram(directory: string): Promise<{ readonly program: string } | { readonly missing: string }> {
	const onPath = await run("schemathesis", ["--version"]).then(
		() => true,
		() => false,
	);
	if (onPath) return { program: "schemathesis" };
	const environment = join(directory, "python");
	try {
		await run("python3", ["-m", "venv", environment]);
		await run(join(environment, "bin", "pip"), ["install", "--quiet", "schemathesis"], { timeout: 300_000 });
	} catch (error) {
		const { stderr = "", message } = error as Error & { readonly stderr?: string };
		return { missing: `it is not installed, and cannot be: ${lastLines(stderr.trim() || message, 1)}` };
	}
	return { program: join(environment, "bin", "schemathesis") };
}

async function mintToken(controlUrl: string, operator: string): Promise<string> {
	const client = new HttpClient(controlUrl);
	const headers = { authorization: `Bearer ${operator}`, "content-type": "application/json" };
	const post = async (path: string, body: string) => JSON.parse((await client.send("POST", path, headers, body)).text);
	try {
		const { id } = (await post("/control/v1/runs", '{"mode":"external","limits":{"maxWallTimeMs":3600000}}')) as { id: string };
		const { token } = (await post(`/control/v1/runs/${id}/tokens`, '{"lifetimeMs":3600000}')) as { token: string };
		return token;
	} finally {
		client.close();
	}
}

const lastLines = (text: string, count: number): string => text.trimEnd().split("\n").slice(-count).join("\n");
