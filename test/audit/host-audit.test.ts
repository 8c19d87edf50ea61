import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createHost, type Host, openAuditTrail } from "../../host/index.ts";
import { temporaryDirectory } from "../store/directory.ts";

let directory: ReturnType<typeof temporaryDirectory>;
beforeEach(() => {
	directory = temporaryDirectory();
});
afterEach(() => directory.remove());

const open = (): Promise<Host> => createHost({ dataDirectory: directory.path, audit: true, limits: { maxWorkers: 1 } });

async function read(): Promise<{ readonly texts: string; readonly entries: readonly Record<string, unknown>[] }> {
	await using trail = await openAuditTrail(directory.path);
	const { problems } = await trail.verify();
	expect(problems).toEqual([]);
	const list = await trail.list();
	return { texts: list.map(({ text }) => text).join("\n"), entries: list.map(({ entry }) => entry) };
}

describe("a host with an audit log", () => {
	test("tells of its start, its runs, its operator and its end, and nothing of what they wrote", async () => {
		const server = createServer((_, response) => response.end("secret-response"));
		await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
		const { port } = server.address() as AddressInfo;
		try {
			const host = await open();
			const outcome = await host.run({
				script: {
					name: "secret-name.js",
					source: `
						await cronium.setVariable("key", "secret-value");
						await cronium.setVariable("key", { token: "secret-token".repeat(500) }, { ifVersion: (await cronium.getVariableEntry("key")).metadata.version });
						await cronium.incrementVariable("number", 777001);
						await fetch("http://127.0.0.1:${port}/secret-path?password=secret-query", { method: "POST", headers: { authorization: "Bearer secret-header" }, body: "secret-body" });
						await fetch("http://127.0.0.2:${port}/secret-path").catch(() => {});
						cronium.log.info("secret-log", { a: "secret-field" });
						console.log("secret-print");
						await cronium.setOutput("secret-output");
						throw new Error("secret-error");`,
				},
				input: '"secret-input"',
				event: { id: "secret-event", name: "secret-event" },
				variables: { given: '"secret-given"' },
				namespace: "billing",
				allowedHosts: [`127.0.0.1:${port}`, `127.0.0.1/32`],
			});
			expect(outcome).toMatchObject({ status: "failed", error: { message: "secret-error" } });
			await host.variables("billing", "ci").set("key", '"secret-operator"');
			await host.variables("billing", "ci").increment("number", 5);
			await host.variables("billing").delete("key");
			await host.variables("billing").get("key");
			await host.audit?.record({ action: "tokens.revoke", actor: "ci", execution: outcome.executionId });
			await host.dispose();
			const { texts, entries } = await read();
			expect(texts).not.toMatch(/secret|777001/);
			const run = { execution: outcome.executionId, namespace: "billing" };
			expect(entries).toMatchObject([
				{ type: "chain" },
				{ type: "control", action: "host.start", actor: "host" },
				{ type: "effect", ...run, operation: "variables.set", key: "key" },
				{ type: "effect", ...run, operation: "variables.set", key: "key" },
				{ type: "effect", ...run, operation: "variables.increment", key: "number" },
				{ type: "effect", ...run, operation: "sandbox.fetch", origin: `http://127.0.0.1:${port}` },
				{ type: "denied", ...run, operation: "sandbox.fetch", origin: `http://127.0.0.2:${port}` },
				{ type: "effect", ...run, operation: "io.set-output" },
				{ type: "control", action: "variables.set", actor: "ci", namespace: "billing", key: "key" },
				{ type: "control", action: "variables.increment", actor: "ci", namespace: "billing", key: "number" },
				{ type: "control", action: "variables.delete", actor: "operator", namespace: "billing", key: "key" },
				{ type: "control", action: "tokens.revoke", actor: "ci", execution: outcome.executionId },
				{ type: "control", action: "host.stop", actor: "host" },
			]);
		} finally {
			server.close();
		}
	});

	test("shares a directory with another one, each with a chain of its own", async () => {
		const hosts = await Promise.all([open(), open()]);
		await Promise.all(
			hosts.map((host) =>
				host.run({ script: { name: "a.js", source: `for (let i = 0; i < 20; i++) await cronium.setVariable("k" + i, i);` } }),
			),
		);
		await Promise.all(hosts.map((host) => host.dispose()));
		const { entries } = await read();
		expect(entries.filter(({ type }) => type === "chain")).toHaveLength(2);
		expect(entries.filter(({ operation }) => operation === "variables.set")).toHaveLength(40);
	});

	test("flushes what it has counted when it is disposed of", async () => {
		const host = await open();
		for (let index = 0; index < 50; index++) host.audit?.authenticationFailure({ door: "control", reason: "expired" });
		await host.dispose();
		const { entries } = await read();
		const failures = entries.filter(({ type }) => type === "authentication-failure");
		expect(failures.map(({ count }) => count)).toEqual([1, 49]);
	});
});

test("a host without an audit log leaves none, and makes no key", async () => {
	const host = await createHost({ dataDirectory: directory.path, limits: { maxWorkers: 1 } });
	expect(host.audit).toBeUndefined();
	await host.run({ script: { name: "a.js", source: `await cronium.setVariable("k", 1)` } });
	await host.dispose();
	await using trail = await openAuditTrail(directory.path);
	expect(await trail.verify()).toEqual({ chains: [], problems: [] });
});
