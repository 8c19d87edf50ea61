import { spawn } from "node:child_process";
import { existsSync, mkdirSync, readdirSync, renameSync, statSync, utimesSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { afterEach, beforeEach, describe, expect, onTestFinished, test } from "vitest";
import { lockExclusive } from "../../host/store/exclusive-role.ts";
import { claimHost, deadHosts, isHostAlive } from "../../host/store/hosts.ts";
import { temporaryDirectory } from "./directory.ts";

const child = fileURLToPath(new URL("host-child.ts", import.meta.url));

/** A process with a host, and the role `serve` when asked; resolves when it has them. */
async function startHost(directory: string, role = false) {
	const process_ = spawn(process.execPath, [child, directory, ...(role ? ["serve"] : [])], {
		stdio: ["ignore", "pipe", "inherit"],
	});
	const exited = new Promise<void>((resolve) => process_.once("exit", () => resolve()));
	onTestFinished(() => void process_.kill("SIGKILL"));
	const output = await new Promise<string>((resolve) =>
		process_.stdout.once("data", (data: Buffer) => resolve(String(data).trim())),
	);
	return {
		output,
		pid: process_.pid as number,
		signal: (name: NodeJS.Signals) => process_.kill(name),
		async kill() {
			process_.kill("SIGKILL");
			await exited;
		},
	};
}

describe.each([
	["a short path", "d"],
	["a path too long for a socket", "x".repeat(150)],
])("hosts of a data directory with %s", (_, name) => {
	let parent: ReturnType<typeof temporaryDirectory>;
	let directory: string;

	beforeEach(() => {
		parent = temporaryDirectory();
		directory = join(parent.path, name);
		mkdirSync(directory, { mode: 0o700 });
	});
	afterEach(() => parent.remove());

	test("a host is alive until it is closed", async () => {
		const host = await claimHost(directory);
		const other = await claimHost(directory);
		expect(host.id).not.toBe(other.id);
		expect(await isHostAlive(directory, host.id)).toBe(true);
		expect(readdirSync(join(directory, "hosts")).sort()).toEqual([`${host.id}.sock`, `${other.id}.sock`].sort());
		expect(statSync(join(directory, "hosts", `${host.id}.sock`)).mode & 0o777).toBe(0o600);
		expect(statSync(join(directory, "hosts")).mode & 0o777).toBe(0o700);
		await host.close();
		expect(await isHostAlive(directory, host.id)).toBe(false);
		expect(await isHostAlive(directory, other.id)).toBe(true);
		expect(await deadHosts(directory)).toEqual([]);
		await other.close();
		expect(readdirSync(join(directory, "hosts"))).toEqual([]);
	});

	test("a host of another process is alive, also while it is stopped, and dead when it was killed", async () => {
		const there = await startHost(directory);
		expect(await isHostAlive(directory, there.output)).toBe(true);
		there.signal("SIGSTOP");
		expect(await isHostAlive(directory, there.output)).toBe(true);
		expect(await deadHosts(directory, { remove: true })).toEqual([]);
		there.signal("SIGCONT");
		await there.kill();
		expect(await isHostAlive(directory, there.output)).toBe(false);
		const here = await claimHost(directory);
		expect(await deadHosts(directory)).toEqual([there.output]);
		expect(existsSync(join(directory, "hosts", `${there.output}.sock`))).toBe(true);
		expect(await deadHosts(directory, { remove: true })).toEqual([there.output]);
		expect(readdirSync(join(directory, "hosts"))).toEqual([`${here.id}.sock`]);
		await here.close();
	});

	test("what a process has left that died while it claimed is removed, but not what may still come to life", async () => {
		const here = await claimHost(directory);
		const hosts = join(directory, "hosts");
		const leftover = (digit: string, ageMs: number) => {
			const name = `${digit.repeat(24)}.sock.new`;
			writeFileSync(join(hosts, name), "");
			utimesSync(join(hosts, name), new Date(), new Date(Date.now() - ageMs));
			return name;
		};
		leftover("a", 120_000);
		const young = leftover("b", 0);
		// It listens, and has not come to rename its socket.
		const slow = `${here.id}.sock.new`;
		renameSync(join(hosts, `${here.id}.sock`), join(hosts, slow));
		utimesSync(join(hosts, slow), new Date(), new Date(Date.now() - 120_000));
		expect(await deadHosts(directory)).toEqual([]);
		expect(readdirSync(hosts)).toHaveLength(3);
		expect(await deadHosts(directory, { remove: true })).toEqual([]);
		expect(readdirSync(hosts).sort()).toEqual([slow, young].sort());
		await here.close();
	});

	test("an id that is none is refused, and an unknown one is dead", async () => {
		await expect(isHostAlive(directory, "../../etc")).rejects.toMatchObject({ code: "invalid" });
		expect(await isHostAlive(directory, "0".repeat(24))).toBe(false);
		expect(await deadHosts(directory)).toEqual([]);
	});

	test("a role has one holder, who is named, and can be given back", async () => {
		const host = await claimHost(directory);
		const other = await claimHost(directory);
		const role = await lockExclusive(directory, "serve", host);
		await expect(lockExclusive(directory, "serve", other)).rejects.toMatchObject({
			code: "unavailable",
			message: `Process ${process.pid} (host ${host.id}) has the role "serve" of ${directory}, which only one can have at a time.`,
		});
		const keys = await lockExclusive(directory, "rotate-keys", other);
		await role.close();
		const next = await lockExclusive(directory, "serve", other);
		await expect(lockExclusive(directory, "serve", host)).rejects.toMatchObject({ code: "unavailable" });
		await Promise.all([keys.close(), next.close(), host.close(), other.close()]);
	});

	test("a dead holder's role is taken over, by one of all who try", async () => {
		const there = await startHost(directory, true);
		const hosts = await Promise.all(Array.from({ length: 8 }, () => claimHost(directory)));
		await expect(lockExclusive(directory, "serve", hosts[0] as { id: string })).rejects.toThrow(
			`Process ${there.pid} (host ${there.output})`,
		);
		await there.kill();
		const tries = await Promise.allSettled(hosts.map((host) => lockExclusive(directory, "serve", host)));
		expect(tries.filter((one) => one.status === "fulfilled")).toHaveLength(1);
		for (const one of tries) if (one.status === "rejected") expect(one.reason).toMatchObject({ code: "unavailable" });
		await Promise.all(hosts.map((host) => host.close()));
	});

	test("a role's file that was cut when the machine stopped is nobody's", async () => {
		mkdirSync(join(directory, "roles"));
		writeFileSync(join(directory, "roles", "serve.7"), "");
		const host = await claimHost(directory);
		await (await lockExclusive(directory, "serve", host)).close();
		await host.close();
		await expect(lockExclusive(directory, "../x", host)).rejects.toMatchObject({ code: "invalid" });
	});
});

test("several processes that race for a dead holder's role: one gets it", async () => {
	const directory = temporaryDirectory();
	try {
		await (await startHost(directory.path, true)).kill();
		const racing = await Promise.all([1, 2, 3].map(() => startHost(directory.path, true)));
		expect(racing.filter((one) => !one.output.startsWith("refused")).length).toBe(1);
		await Promise.all(racing.map((one) => one.kill()));
	} finally {
		directory.remove();
	}
});
