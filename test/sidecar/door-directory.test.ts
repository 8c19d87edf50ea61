import { execFileSync } from "node:child_process";
import { chmodSync, chownSync, lstatSync, mkdirSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { doorFiles } from "../../sidecar/door-directory.ts";
import { sendRequest } from "../http/send-request.ts";
import { type LocalDoors, openDoors } from "./doors.ts";

let doors: LocalDoors;
beforeAll(async () => {
	doors = await openDoors();
});
afterAll(() => doors[Symbol.asyncDispose]());

/** A door for a new run in the directory, and what its client gets there. */
async function tryDoor(directory: string, groupId?: number) {
	const run = await doors.host.open({});
	try {
		await using _door = await doors.doors.open(run, { directory, ...(groupId !== undefined && { groupId }) });
		const read = (name: keyof typeof doorFiles): string => readFileSync(join(directory, doorFiles[name]), "utf8");
		const modes = Object.fromEntries(
			Object.values(doorFiles).map((name) => {
				const { mode, gid } = lstatSync(join(directory, name));
				return [name, `${(mode & 0o777).toString(8)} ${gid}`];
			}),
		);
		const { status } = await sendRequest(
			{
				socketPath: join(directory, doorFiles.socket),
				tls: { ca: read("trusted"), cert: read("certificate"), key: read("key") },
			},
			"GET",
			"/v1/input",
			{ headers: { authorization: `Bearer ${read("token")}` } },
		);
		return { status, modes };
	} finally {
		run.end({ status: "succeeded" });
		await run.outcome;
	}
}

describe.each(Object.values(doorFiles))("in the place of %s", (name) => {
	test("a link is replaced, and where it leads is not touched", async () => {
		const directory = doors.makeDirectory();
		const target = join(directory, "target");
		writeFileSync(target, "untouched", { mode: 0o644 });
		symlinkSync(target, join(directory, name));
		expect(await tryDoor(directory)).toMatchObject({ status: 200 });
		expect(readFileSync(target, "utf8")).toBe("untouched");
		expect(statSync(target).mode & 0o777).toBe(0o644);
	});

	test("a link that leads nowhere makes nothing there", async () => {
		const directory = doors.makeDirectory();
		symlinkSync(join(directory, "nowhere"), join(directory, name));
		expect(await tryDoor(directory)).toMatchObject({ status: 200 });
		expect(() => lstatSync(join(directory, "nowhere"))).toThrow();
	});

	test("a FIFO, a file, and a socket of somebody else are replaced", async () => {
		const directory = doors.makeDirectory();
		const path = join(directory, name);
		execFileSync("mkfifo", [path]);
		expect(await tryDoor(directory)).toMatchObject({ status: 200 });
		writeFileSync(path, "something", { mode: 0o666 });
		expect(await tryDoor(directory)).toMatchObject({ status: 200 });
		const server = createServer(() => undefined);
		await new Promise<void>((resolve) => server.listen(path, resolve));
		expect(await tryDoor(directory)).toMatchObject({ status: 200 });
		await new Promise((resolve) => server.close(resolve));
	});
});

test("a directory in the place of a file is a clear error, and nothing else is left", async () => {
	const directory = doors.makeDirectory();
	mkdirSync(join(directory, doorFiles.token));
	await expect(tryDoor(directory)).rejects.toMatchObject({
		code: "unavailable",
		message: expect.stringMatching(/^The door of the run .* cannot be made: EISDIR/),
	});
});

const made = (path: string, make: (path: string) => void): string => {
	make(path);
	return path;
};

test.each<[string, (directory: string) => string, string]>([
	["does not exist", (directory) => join(directory, "none"), "is not a directory"],
	["is a file", (directory) => made(join(directory, "file"), (path) => writeFileSync(path, "")), "is not a directory"],
	["is a link", (directory) => made(join(directory, "link"), (path) => symlinkSync(directory, path)), "is not a directory"],
	[
		"can be written by its group",
		(directory) => made(directory, (path) => chmodSync(path, 0o730)),
		"written by others (mode 730)",
	],
	["can be written by all", (directory) => made(directory, (path) => chmodSync(path, 0o703)), "written by others (mode 703)"],
])("a directory that %s is refused", async (_what, prepare, message) => {
	await expect(tryDoor(prepare(doors.makeDirectory()))).rejects.toMatchObject({
		code: "unavailable",
		message: expect.stringContaining(message),
	});
});

test("a directory whose socket would have too long a path is refused", async () => {
	const directory = join(doors.makeDirectory(), "d".repeat(100));
	mkdirSync(directory, { mode: 0o700 });
	await expect(tryDoor(directory)).rejects.toMatchObject({
		code: "invalid",
		message: expect.stringMatching(/^The socket path .* bytes; the limit is 100\.$/),
	});
});

test("a run has one door", async () => {
	const run = await doors.openRun();
	await expect(doors.doors.open(run.run, { directory: doors.makeDirectory() })).rejects.toMatchObject({ code: "invalid" });
	expect(await run.call("GET", "/v1/input")).toMatchObject({ status: 200 });
	await run.end();
});

test("a run that has ended gets no door", async () => {
	const run = await doors.host.open({});
	run.end({ status: "succeeded" });
	await run.outcome;
	const directory = doors.makeDirectory();
	await expect(doors.doors.open(run, { directory })).rejects.toMatchObject({ code: "cancelled" });
	expect(() => lstatSync(join(directory, doorFiles.socket))).toThrow();
});

test("a run that ends while its door is made leaves nothing of it", async () => {
	const run = await doors.host.open({});
	const directory = doors.makeDirectory();
	const opening = doors.doors.open(run, { directory });
	run.end({ status: "succeeded" });
	await expect(opening).rejects.toMatchObject({ code: "cancelled" });
	await run.outcome;
	for (const name of Object.values(doorFiles)) expect(() => lstatSync(join(directory, name)), name).toThrow();
});

describe.skipIf(process.geteuid?.() !== 0)("as root", () => {
	const groupId = 54_321;

	test("socket and credentials are of the run's group, and of nobody else", async () => {
		const { status, modes } = await tryDoor(doors.makeDirectory(), groupId);
		expect(status).toBe(200);
		expect(modes).toEqual(
			Object.fromEntries(
				Object.values(doorFiles).map((name) => [name, `${name === doorFiles.socket ? "660" : "640"} ${groupId}`]),
			),
		);
	});

	test("a process of another group can neither connect nor read", async () => {
		const run = await doors.host.open({});
		const directory = doors.makeDirectory();
		chownSync(directory, 0, groupId);
		chmodSync(doors.directory, 0o711);
		await using _door = await doors.doors.open(run, { directory, groupId });
		const attack = `
			const fs = require("node:fs"), net = require("node:net");
			const found = [];
			for (const name of ${JSON.stringify(Object.values(doorFiles))})
				try { fs.readFileSync(process.argv[1] + "/" + name); found.push(name); } catch (error) { found.push(error.code); }
			net.connect(process.argv[1] + "/api.sock").on("connect", () => end("connected")).on("error", (error) => end(error.code));
			function end(what) { console.log([...found, what].join(" ")); process.exit(); }
		`;
		const asGroup = (gid: number) =>
			execFileSync(process.execPath, ["-e", attack, directory], { uid: 54_000, gid, cwd: "/", encoding: "utf8" }).trim();
		expect(asGroup(groupId + 1)).toBe("EACCES EACCES EACCES EACCES EACCES EACCES");
		// The socket itself is no file to read.
		expect(asGroup(groupId)).toBe("ENXIO ca.pem client.pem client.key token connected");
		run.end({ status: "succeeded" });
		await run.outcome;
	});

	test("a directory of somebody else is refused", async () => {
		const directory = doors.makeDirectory();
		chownSync(directory, 54_000, 54_000);
		await expect(tryDoor(directory)).rejects.toMatchObject({
			code: "unavailable",
			message: expect.stringContaining("belongs to user 54000"),
		});
		rmSync(directory, { recursive: true });
	});
});
