import { readFileSync } from "node:fs";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { scopes } from "../../host/contract/generated/types.ts";
import { leastScopes } from "../../host/executors/ssh/ssh-host.ts";
import { printed } from "../printed.ts";
import { filesWith, processesWith, secretOf } from "./secret-search.ts";
import { openSshRuns, type SshRuns } from "./ssh-runs.ts";
import { sshdObstacle } from "./sshd.ts";

const obstacle = sshdObstacle(true);

describe.skipIf(obstacle !== undefined)("a run on an SSH host", () => {
	let runs: SshRuns;
	beforeAll(async () => {
		runs = await openSshRuns({ audit: true });
		await runs.addHost("wide", { scopes: [...scopes] });
		await runs.addHost("brief", { limits: { maxWallTimeMs: 300 }, "max-runs": 1 });
	});
	afterAll(() => runs?.[Symbol.asyncDispose]());
	afterEach(() => runs.requireNothingLeft());

	const write = ". cronium.sh; cronium_set_variable key 1";

	test("has the least rights, and each refusal says what would allow it", async () => {
		const { executionId, ...outcome } = await runs.run("write.sh", write);
		expect(outcome).toMatchObject({ status: "failed", error: { code: "script-error" } });
		expect(printed({ executionId, ...outcome }, "stderr")).toBe(
			"cronium: denied: variables.set needs the scope variables:write, which this run does not have. On an SSH host its scopes in hosts.toml, --scope of the run, or an agent of the host that was invited with it allow it.",
		);
		expect(await runs.host.executions.get(executionId)).toMatchObject({ mode: "ssh", host: "web", scopes: leastScopes });
		for (const [name, source] of [
			["delete", "cronium_delete_variable key"],
			["increment", "cronium_increment_variable key"],
		]) {
			const denied = await runs.run(`${name}.sh`, `. cronium.sh; ${source}`);
			expect(printed(denied, "stderr")).toContain("denied:");
		}
	});

	test("has more when its host's entry or the run says so", async () => {
		expect(await runs.run("write.sh", write, { host: "wide" })).toMatchObject({ status: "succeeded" });
		expect(await runs.run("write.sh", write, { scopes: ["variables:write"] })).toMatchObject({ status: "succeeded" });
		expect(await runs.run("write.sh", write, { host: "wide", scopes: ["input:read"] })).toMatchObject({ status: "failed" });
	});

	test("sees in its context where it runs", async () => {
		const source =
			'. cronium.sh; cronium_set_output "$(cronium_member "$(cronium_member "$(cronium_get_event_context)" execution)" mode)"';
		expect(await runs.run("mode.sh", source)).toMatchObject({ status: "succeeded", output: "ssh" });
	});

	test("has the limits of its host's entry where it has none of its own", async () => {
		expect(await runs.run("a.sh", "sleep 5", { host: "brief" })).toMatchObject({ status: "timed-out" });
		expect(await runs.run("a.sh", "sleep 0.5", { host: "brief", limits: { maxWallTimeMs: 60_000 } })).toMatchObject({
			status: "succeeded",
		});
	});

	test.each([
		[{ host: undefined }, "invalid", "host is missing"],
		[{ host: "nowhere" }, "not-found", 'There is no SSH host "nowhere"; there are web, wide, brief.'],
		[{ image: "x" }, "invalid", "image is for runs in a container; this run is in mode ssh."],
		[{ engine: "quickjs-wasi" }, "invalid", "engine is for runs in the sandbox; this run is in mode ssh."],
		[{ allowedHosts: [] }, "invalid", "allowedHosts is for runs in the sandbox"],
		[{ reach: "car" }, "invalid", "reach"],
		[{ reach: "url" }, "unavailable", "`cronium serve` with --url"],
		[{ reach: "agent" }, "unavailable", "`cronium serve` with --agent-listen"],
		[{ namespace: "other" }, "denied", "The host web takes runs of the namespace default, and not of other"],
	])("with %j is refused as %s", async (options, code, message) => {
		await expect(runs.run("a.sh", "true", options as object)).rejects.toMatchObject({
			code,
			message: expect.stringContaining(message),
		});
	});

	test("is not in an account that another entry has for another namespace, by whatever name it is known", async () => {
		const { address, port } = runs.sshd;
		await runs.run("a.sh", "true");
		// The same sshd under another name: hosts.toml does not show that it is the same.
		const alias = address === "127.0.0.1" ? "localhost" : address;
		await runs.addHost("alias", { address: alias, port, namespaces: ["tenant"] });
		const refused = await runs.run("a.sh", "echo begun", { host: "alias", namespace: "tenant" });
		expect(refused).toMatchObject({ status: "failed", error: { code: "denied" }, logs: [] });
		expect(refused.error?.message).toContain("shared = true");
	});

	test("has a token that is in no list of processes, no file, no log, no journal and no history", async () => {
		const begun = Promise.withResolvers<void>();
		const stop = new AbortController();
		// A shell that keeps a history, started by the script with all that it has.
		const history = join(runs.sshd.account.home, ".bash_history");
		const source = `. cronium.sh; cronium_get_input; cronium_log_info hello; set -x; cronium_get_input; set +x
printf 'echo remembered\nexit\n' | HISTFILE=${history} bash --norc -i; echo begun; sleep 60`;
		const running = runs.run("secret.sh", source, {
			input: "1",
			signal: stop.signal,
			onLog: ({ message }) => message === "begun" && begun.resolve(),
		});
		await begun.promise;
		const secret = secretOf(runs.sshd);
		const places = [runs.sshd.directory, runs.dataDirectory];
		expect(readFileSync(history, "utf8")).toContain("remembered");
		expect(processesWith(secret)).toEqual([]);
		expect(filesWith(secret, places)).toEqual([]);
		stop.abort();
		const outcome = await running;
		expect(outcome.logs.length).toBeGreaterThan(0);
		expect(JSON.stringify(outcome)).not.toContain(secret);
		expect(JSON.stringify(await runs.host.executions.journal(outcome.executionId))).not.toContain(secret);
		expect(filesWith(secret, places)).toEqual([]);
	});
});
