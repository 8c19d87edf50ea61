import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterEach, beforeEach, describe, expect, test } from "vitest";
import { createHost } from "../host/index.ts";

/** A process with a host whose run waits for ever; prints the id of the run once it has begun. */
const foreignHost = `
import { createHost } from ${JSON.stringify(new URL("../host/index.ts", import.meta.url).href)};
const host = await createHost({ dataDirectory: process.argv[1], limits: { maxWorkers: 1 } });
host.run({
	script: { name: "wait.js", source: 'import { setOutput, getEventContext } from "cronium"; await setOutput("so far"); console.log((await getEventContext()).execution.id); await new Promise((resolve) => setTimeout(resolve, 60_000))' },
	onLog: ({ message }) => console.log(message),
});
`;

describe("runs of another process", () => {
	let directory: string;
	let child: ReturnType<typeof spawn>;
	let id: string;
	beforeEach(async () => {
		directory = await mkdtemp(join(tmpdir(), "cronium-test-"));
		child = spawn(process.execPath, ["--input-type=module", "-e", foreignHost, directory], {
			stdio: ["ignore", "pipe", "inherit"],
		});
		if (!child.stdout) throw new Error("The child's output is piped.");
		for await (const line of createInterface({ input: child.stdout })) {
			id = line;
			break;
		}
	});
	afterEach(async () => {
		child.kill("SIGKILL");
		await rm(directory, { recursive: true });
	});

	test("are not taken for lost while their host lives, also when it is stopped by a signal", async () => {
		child.kill("SIGSTOP");
		await using host = await createHost({ dataDirectory: directory, limits: { maxWorkers: 1 } });
		expect(await host.executions.get(id)).toMatchObject({ status: "running" });
	});

	test("are ended as lost once their host has died, and keep what was acknowledged", async () => {
		const gone = new Promise((resolve) => child.once("exit", resolve));
		child.kill("SIGKILL");
		await gone;
		await using host = await createHost({ dataDirectory: directory, limits: { maxWorkers: 1 } });
		expect(await host.executions.outcome(id)).toMatchObject({
			status: "lost",
			exitCode: 1,
			output: "so far",
			error: { code: "lost" },
		});
		expect((await host.executions.journal(id)).map(({ operation }) => operation)).toContain("io.set-output");
	});
});
