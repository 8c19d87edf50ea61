import { type ChildProcess, spawn } from "node:child_process";
import {
	chmodSync,
	existsSync,
	lstatSync,
	mkdirSync,
	mkdtempSync,
	readdirSync,
	readFileSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, onTestFinished, test } from "vitest";
import { buildAgent } from "../../build-agent.ts";
import { readJoinToken } from "../../sidecar/join-token.ts";
import { cronium, launcher } from "../cli/cronium.ts";
import { until } from "./agent-host.ts";

let directory: string;
let data: string;
let bridge: Spawned;
beforeAll(async () => {
	directory = mkdtempSync(join(tmpdir(), "cronium-agents-"));
	data = join(directory, "data");
	mkdirSync(join(directory, "alone"));
	// Nothing else is there: no package.json, no node_modules, none above.
	await buildAgent(join(directory, "alone", "agent.js"));
	bridge = run(directory, [
		launcher,
		...["serve", "--data", data, "--listen", "127.0.0.1:0", "--control-listen", "127.0.0.1:0"],
		...["--agent-listen", "127.0.0.1:0", "--limit", "maxWorkers=1"],
	]);
	await bridge.says(/agents on https:\/\/127\.0\.0\.1:\d+/);
});
afterAll(async () => {
	await bridge.end();
	rmSync(directory, { recursive: true, force: true });
});

interface Spawned {
	readonly child: ChildProcess;
	readonly stderr: string;
	/** Waits until it has said so. */
	says(pattern: RegExp): Promise<void>;
	end(signal?: NodeJS.Signals): Promise<number | null>;
}

function run(cwd: string, argv: readonly string[], stdin = ""): Spawned {
	const child = spawn(process.execPath, argv, { cwd, env: { HOME: cwd }, stdio: ["pipe", "ignore", "pipe"] });
	let stderr = "";
	child.stderr.setEncoding("utf8").on("data", (text: string) => {
		stderr += text;
	});
	child.stdin.end(stdin);
	const closed = new Promise<number | null>((resolve) => child.once("close", resolve));
	return {
		child,
		get stderr() {
			return stderr;
		},
		async says(pattern) {
			await until(() => {
				if (child.exitCode !== null) throw new Error(`It has ended: ${stderr}`);
				return pattern.test(stderr);
			});
		},
		end(signal = "SIGTERM") {
			child.kill(signal);
			return closed;
		},
	};
}

/** The agent in one file, in its directory. */
function runAgent(state: string, argv: readonly string[] = [], stdin = ""): Spawned {
	const agent = run(join(directory, "alone"), ["agent.js", "--state", state, ...argv], stdin);
	onTestFinished(async () => void (await agent.end("SIGKILL")));
	return agent;
}

const agents = (...argv: string[]) => cronium(["agents", ...argv, "--data", data]);
const state = (name: string): string => join(directory, name);

describe("cronium agent", () => {
	test("joins, waits, serves and is revoked, as one file in an empty directory", async () => {
		const invited = await agents("invite", "web-1", "--scope", "input:read", "--scope", "variables:write");
		expect(invited).toMatchObject({ code: 0, stdout: expect.stringMatching(/^cronium-join-1\.[\w-]+\n$/) });
		// A name that was misspelt would be an agent that waits for ever.
		expect(invited.stderr).toMatch(/^cronium: There is no SSH host "web-1" yet: .*\n$/);
		const { secret } = readJoinToken(invited.stdout);
		const agent = runAgent(state("one"), ["--join", "-"], invited.stdout);
		await agent.says(/joined as agent \w+ of the host web-1\n.*waits for approval/s);
		// What others of the machine can see of it.
		for (const name of ["cmdline", "environ"])
			expect(readFileSync(`/proc/${agent.child.pid}/${name}`, "utf8")).not.toContain(secret);
		const listed = JSON.parse((await agents("list", "--json")).stdout);
		expect(listed).toEqual([
			{
				id: expect.stringMatching(/^[0-9a-f]{20}$/),
				host: "web-1",
				state: "pending",
				scopes: ["input:read", "variables:write"],
				joinedAt: expect.any(String),
				address: "127.0.0.1",
			},
		]);
		expect(await agents("approve", "web-1")).toMatchObject({ code: 0, stdout: "" });
		await agent.says(/of the host web-1 is connected to 127\.0\.0\.1:/);
		expect((await agents("list")).stdout).toMatch(
			/^ID .*HOST .*STATE .*SINCE .*FROM\n\w{20} +web-1 +approved +\S+ +127\.0\.0\.1\n$/,
		);
		const directoryMode = lstatSync(state("one")).mode & 0o777;
		const fileMode = lstatSync(join(state("one"), "identity.json")).mode & 0o777;
		expect([directoryMode, fileMode]).toEqual([0o700, 0o600]);
		// Begun again it needs no token, and says that it takes none.
		expect(await agent.end()).toBe(0);
		expect(existsSync(join(state("one"), "sockets"))).toBe(false);
		const again = runAgent(state("one"), ["--join", "-"], invited.stdout);
		await again.says(/is agent \w+ of the host web-1 already\. To join anew, remove .*identity\.json.*is connected/s);
		expect(await agents("revoke", "web-1")).toMatchObject({ code: 0 });
		await again.says(/refuses this agent: it was revoked/);
		expect(await again.end()).toBe(0);
		const { stdout } = await cronium(["audit", "list", "--data", data]);
		for (const action of ["agents.invite", "agents.join", "agents.approve", "agents.revoke"]) expect(stdout).toContain(action);
		expect(stdout).not.toContain(secret);
	});

	test("that was killed is there again, and has nothing of before", async () => {
		const { stdout } = await agents("invite", "web-2", "--approved");
		const file = state("token");
		writeFileSync(file, stdout, { mode: 0o600 });
		const agent = runAgent(state("two"), ["--join", file]);
		await agent.says(/is connected/);
		await agent.end("SIGKILL");
		writeFileSync(join(state("two"), "sockets", "left"), "");
		writeFileSync(join(state("two"), ".identity-left"), "");
		const again = runAgent(state("two"));
		await again.says(/is connected/);
		expect(readdirSync(join(state("two"), "sockets"))).toEqual([]);
		expect(readdirSync(state("two"))).not.toContain(".identity-left");
		const second = runAgent(state("two"));
		await until(() => second.child.exitCode !== null);
		expect(second.stderr).toContain('has the role "agent"');
	});

	test("says what is wrong, and tells no secret", async () => {
		const { stdout: token } = await agents("invite", "web-3");
		const open = state("open");
		writeFileSync(open, token);
		chmodSync(open, 0o644);
		const long = join(directory, "x".repeat(60));
		for (const [argv, stdin, said] of [
			[[], "", "--state is missing"],
			[["--state", state("three")], "", "has not joined yet; --join needs a token"],
			[["--state", state("three"), "--join", open], "", "is open to others (mode 644)"],
			[["--state", state("three"), "--join", join(directory, "none")], "", "cannot be read (ENOENT)"],
			[["--state", state("three"), "--join", "-"], "nonsense", "This is not a join token"],
			[["--state", state("three"), "--join", "-"], `${token.trim().slice(0, -40)}`, "The join token is damaged"],
			[["--state", long, "--join", "-"], token, "the limit is 100"],
			[["--state", open, "--join", "-"], token, "cannot be used: EEXIST"],
		] as const) {
			const agent = run(join(directory, "alone"), ["agent.js", ...argv], stdin);
			await until(() => agent.child.exitCode !== null);
			expect(agent.stderr).toContain(said);
			expect(agent.stderr).not.toContain(readJoinToken(token).secret);
			expect(agent.child.exitCode, said).not.toBe(0);
		}
		// None of that has used it up; this has.
		const agent = runAgent(state("three"), ["--join", "-"], token);
		await agent.says(/joined as agent/);
		const other = runAgent(state("four"), ["--join", "-"], token);
		await until(() => other.child.exitCode !== null);
		expect(other.stderr).toBe(
			"cronium: The join token has been used, has expired or was revoked: cronium agents invite makes another one.\n",
		);
		expect(existsSync(join(state("four"), "identity.json"))).toBe(false);
	});
});

describe("cronium agents", () => {
	test("says what is wrong with a command", async () => {
		for (const [argv, code, said] of [
			[["invite", "a/b"], 2, "is not the name of a host"],
			[["invite", "a", "--scope", "everything"], 2, "it must be one of input:read"],
			[["invite", "a", "--expires", "2d"], 2, "it must be from 1s to 24h"],
			[["approve", "nobody"], 1, "There is no agent"],
		] as const)
			expect(await agents(...argv)).toMatchObject({ code, stdout: "", stderr: expect.stringContaining(said) });
		const unserved = await cronium(["agents", "invite", "a", "--data", state("unserved")]);
		expect(unserved).toMatchObject({ code: 2, stderr: expect.stringContaining("was not served with --agent-listen yet") });
	});

	test("withdraws an invitation by its id", async () => {
		await agents("invite", "web-5");
		const invitations = JSON.parse((await agents("list", "--json")).stdout) as { id: string; host: string; state: string }[];
		const found = invitations.find(({ host }) => host === "web-5");
		expect(found?.state).toBe("invited");
		expect(await agents("revoke", found?.id as string)).toMatchObject({ code: 0, stderr: expect.stringContaining("withdrawn") });
		expect((await agents("list")).stdout).not.toContain("web-5");
	});
});

describe("cronium serve", () => {
	test("needs to know where agents reach it", async () => {
		for (const [argv, said] of [
			[["--agent-address", "a:1"], "--agent-address needs --agent-listen"],
			[["--agent-listen", "0.0.0.0:0"], "--agent-address has to say which one agents connect to"],
			[["--agent-listen", "unix:/tmp/a"], "it must be HOST:PORT"],
		] as const)
			expect(await cronium(["serve", "--data", state("none"), ...argv])).toMatchObject({
				code: 2,
				stderr: expect.stringContaining(said),
			});
	});
});
