import { chmodSync, chownSync, mkdirSync, symlinkSync } from "node:fs";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { printed } from "../printed.ts";
import { openSshRuns, type SshRuns } from "./ssh-runs.ts";
import { sshdObstacle } from "./sshd.ts";

const obstacle = sshdObstacle(true);

describe.skipIf(obstacle !== undefined)("an SSH host", () => {
	let runs: SshRuns;
	beforeAll(async () => {
		runs = await openSshRuns({
			sshd: { accounts: { locked: { shell: "/usr/sbin/nologin" }, poor: {} } },
		});
		for (const name of ["locked", "poor"]) await runs.addHost(name, { user: name });
	});
	afterAll(() => runs?.[Symbol.asyncDispose]());

	const failure = async (host: string, source = "echo begun", name = "a.sh") => {
		const { status, error, logs } = await runs.run(name, source, { host });
		expect(status).toBe("failed");
		expect(logs).toEqual([]);
		return error;
	};

	test("whose account runs no commands is refused with what it says", async () => {
		const error = await failure("locked");
		expect(error).toMatchObject({ code: "host-unsuitable" });
		expect(error?.message).toMatch(
			/^locked \(locked@127\.0\.0\.1 port \d+\) does not run commands .*It said: "This account is currently not available\."\.$/,
		);
	});

	test("with a home that cannot be written to is as good as another", async () => {
		const { home, uid } = runs.sshd.accounts.poor as (typeof runs.sshd.accounts)[string];
		chownSync(home, 0, 0);
		chmodSync(home, 0o555);
		try {
			const source = '. cronium.sh; touch "$HOME/x" || echo "not there"; cronium_set_output "$(cronium_get_input)"';
			const outcome = await runs.run("a.sh", source, { host: "poor", input: "1" });
			expect(outcome).toMatchObject({ status: "succeeded", output: 1 });
			expect(printed(outcome)).toBe("not there");
			await runs.addHost("elsewhere", { user: "poor", directory: join(home, "runs") });
			const error = await failure("elsewhere");
			expect(error).toMatchObject({ code: "host-unsuitable" });
			expect(error?.message).toMatch(
				/has no directory for runs that can be made and written to: ".*(?:Permission denied|No such file)/,
			);
		} finally {
			chownSync(home, uid, uid);
			chmodSync(home, 0o755);
		}
	});

	test.each([
		[4 * 1024, 10],
		[32 * 1024, 10],
		[96 * 1024, 10],
		[160 * 1024, 100_000],
	])("whose disk has %i bytes says that it is full, before it begins a script of %i bytes", async (diskBytes, size) => {
		await using small = await openSshRuns({ sshd: { diskBytes } });
		await small.addHost("small", { directory: join(small.sshd.directory, "disk") });
		const outcome = await small.run("full.sh", `echo begun\n#${"x".repeat(size)}`, { host: "small" });
		expect(outcome).toMatchObject({ status: "failed", error: { code: "host-unsuitable" } });
		expect(outcome.error?.message).toContain("No space left on device");
		expect(outcome.logs).toEqual([]);
		await small.requireNothingLeft();
	});

	test("whose disk is filled by one script goes on with those that run, and has room again afterwards", async () => {
		await using small = await openSshRuns({ sshd: { diskBytes: 512 * 1024 }, limits: { hostSilenceMs: 2_000 } });
		await small.addHost("small", { directory: join(small.sshd.directory, "disk") });
		const filled = Promise.withResolvers<void>();
		const filler = small.run("filler.sh", "cat /dev/zero >fill 2>/dev/null; echo full; sleep 5; echo over", {
			host: "small",
			onLog: ({ message }) => message === "full" && filled.resolve(),
		});
		await filled.promise;
		expect(await small.run("late.sh", `#${"x".repeat(60_000)}`, { host: "small" })).toMatchObject({
			error: { code: "host-unsuitable" },
		});
		const outcome = await filler;
		expect(outcome).toMatchObject({ status: "succeeded" });
		expect(printed(outcome)).toBe("full\nover");
		expect(await small.run("next.sh", `echo fine\n#${"x".repeat(60_000)}`, { host: "small" })).toMatchObject({
			status: "succeeded",
		});
		await small.requireNothingLeft();
	});

	test("without the interpreter, or without what the SDK calls, is told before the script begins", async () => {
		// Nothing but what every system has.
		const bin = join(runs.sshd.directory, "bin");
		mkdirSync(bin);
		for (const program of ["bash", "sh", "mkdir", "cp", "rm", "rmdir", "chmod", "dd", "wc", "grep", "sleep", "cat"])
			symlinkSync(`/usr/bin/${program}`, join(bin, program));
		await using bare = await openSshRuns({ sshd: { configuration: [`SetEnv PATH=${bin}`] } });
		for (const [name, source, missing] of [
			["a.py", "print(1)", "python3"],
			["a.js", "console.log(1)", "node"],
			["a.sh", ". cronium.sh", "curl"],
		] as const) {
			const outcome = await bare.run(name, source);
			expect(outcome).toMatchObject({ status: "failed", error: { code: "host-unsuitable" }, logs: [] });
			expect(outcome.error?.message).toContain(`has no ${missing} on the PATH of the account`);
			expect(outcome.error?.message).toContain("cronium hosts test web");
		}
		const outcome = await bare.run("b.sh", 'echo "$PATH"');
		expect(outcome).toMatchObject({ status: "succeeded" });
		expect(printed(outcome)).toContain(`sdk:${bin}`);
		await bare.requireNothingLeft();
	});

	test("that does not forward sockets is told so, with what to do", async () => {
		await using closed = await openSshRuns({ sshd: { configuration: ["AllowStreamLocalForwarding no"] } });
		const outcome = await closed.run("a.sh", "echo begun");
		expect(outcome).toMatchObject({ status: "failed", error: { code: "host-unsuitable" }, logs: [] });
		expect(outcome.error?.message).toContain("AllowStreamLocalForwarding");
		await closed.requireNothingLeft();
	});
});
