// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are what a shell would expand.
import { spawn, spawnSync } from "node:child_process";
import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { existsSync, mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { describe, expect, onTestFinished, test } from "vitest";
import { keeperProgram } from "../../host/executors/ssh/keeper-program.ts";
import { encodeLaunch, type LaunchPlan, launcher } from "../../host/executors/ssh/launcher.ts";
import { NonceFilter } from "../../host/executors/ssh/session-output.ts";
import { directoryName, leftBehind } from "../../host/executors/ssh/sweep.ts";
import { packZip } from "../../host/executors/ssh/zip-archive.ts";

const texts = [
	...["", "\n", "a\nb", "\n\na\n\n", "a\r\nb", "\r", "'\"`\\", "$HOME", "$(id)", "`id`", "${x:-y}", "a;b|c&d>e"],
	...["*", "~", "!!", "\\n\\0", " \t a ", "-n", "--", "08", "äöü\u{1f600}\u2028", "\u0001\u001b[31m\u007f"],
];

function makeRun(): string {
	const top = mkdtempSync(join(tmpdir(), "launcher-"));
	onTestFinished(() => rmSync(top, { recursive: true, force: true }));
	const directory = join(top, "run");
	for (const name of ["script", "work", "tmp"]) mkdirSync(join(directory, name), { recursive: true });
	return directory;
}

async function launch(shell: readonly string[], plan: Partial<LaunchPlan>, edit = (sent: Buffer): Buffer => sent) {
	const nonce = randomBytes(16).toString("hex");
	const directory = plan.directory ?? makeRun();
	const [program, ...args] = shell;
	const child = spawn(program as string, [...args, "-c", 'IFS= read -r _program && eval "$_program"']);
	child.stdin.on("error", () => undefined);
	const sent = encodeLaunch({
		...{ nonce, directory, needed: [], environment: {}, searched: undefined, files: new Map(), command: ["true"] },
		...plan,
	});
	child.stdin.end(edit(Buffer.concat([Buffer.from(`${launcher}\n`), sent])));
	const [stdout, stderr, [code]] = await Promise.all([text(child.stdout), text(child.stderr), once(child, "exit")]);
	const [out, errors] = [stdout, stderr].map((output) => {
		const filter = new NonceFilter(nonce);
		const rest = filter.take(Buffer.from(output)).toString();
		return { line: filter.line, rest, noise: filter.noise };
	});
	return { code, directory, out, errors };
}

const shells = [["dash"], ["bash", "--posix"], ["bash"]].filter(([shell]) => existsSync(`/usr/bin/${shell}`));

describe.each(shells)("the launcher of SSH runs in %s", (...shell) => {
	test("passes arguments, environment and files on as they are", async () => {
		const files = new Map<string, string | Uint8Array>([
			["script/deep/er/a b", randomBytes(200_000)],
			["script/short", "\\a\n  b\\\n\n-n\n"],
			["script/cut", "no line break"],
			["script/nul", "a\0b\n"],
			["script/empty", ""],
			["script/$(id)'\"", "x\n"],
		]);
		const print = "process.stdout.write(JSON.stringify([process.argv.slice(1), process.env.A, process.env.LIST]))";
		const { out, code, directory } = await launch(shell, {
			files,
			environment: { A: 'it\'s "$(id)" `x`\\  ', LIST: "/old" },
			searched: { variable: "LIST", path: "/new dir" },
			command: [process.execPath, "-e", print, "--", ...texts],
		});
		expect({ line: out?.line, code }).toEqual({ line: "begun", code: 0 });
		expect(JSON.parse(out?.rest ?? "")).toEqual([texts, 'it\'s "$(id)" `x`\\  ', "/new dir:/old"]);
		const { readFileSync } = await import("node:fs");
		for (const [path, contents] of files)
			expect(readFileSync(join(directory, path))).toEqual(Buffer.from(contents as Uint8Array));
	});

	test("begins nothing when anything of it is missing", async () => {
		const sent = {
			command: ["sh", "-c", "echo begun"],
			files: new Map([
				["script/a", "x".repeat(20_000)],
				["script/b", "y\nz\n"],
			]),
		};
		for (const kept of [0.05, 0.5, 0.9, 0.97, 0.995, 0.9999]) {
			const { out } = await launch(shell, sent, (bytes) => bytes.subarray(0, Math.floor(bytes.length * kept)));
			expect(out?.line).not.toBe("begun");
			expect(out?.rest).toBe("");
		}
	});

	test("says what is missing, and that it cannot write", async () => {
		expect((await launch(shell, { needed: ["sh", "no-such-program", "nor-this"] })).out?.line).toBe(
			"missing no-such-program nor-this",
		);
		const gone = await launch(shell, { directory: "/no/such/directory" });
		expect(gone.out?.line).toBe("unusable");
		expect(gone.errors?.noise).toContain("/no/such/directory");
	});

	test("leaves nothing of itself to the program: no input, no variables but what it is given", async () => {
		const { out } = await launch(shell, {
			command: ["sh", "-c", "readlink /proc/self/fd/0; env | grep -c '^_[a-z]'"],
		});
		expect(out?.rest).toBe("/dev/null\n0\n");
	});
});

describe("a keeper without a host", () => {
	test("ends runs by their seconds, and everything when its input ends", async () => {
		const base = mkdtempSync(join(tmpdir(), "keeper-"));
		onTestFinished(() => rmSync(base, { recursive: true, force: true }));
		const name = directoryName("0123456789abcdef", "0123456789abcdef");
		const child = spawn("/bin/sh", ["-c", 'IFS= read -r _program && eval "$_program"'], { stdio: ["pipe", "pipe", "ignore"] });
		onTestFinished(() => void child.kill("SIGKILL"));
		const said = text(child.stdout);
		child.stdin.write(`${[keeperProgram, "the-nonce", base, name, "cronium-01234567-", "60"].join("\n")}\n`);
		child.stdin.write(
			"sdk bash\n1\n0\nwork\n\nthe-nonce\nmake bash aaaaaaaaaaaa\nmake bash bbbbbbbbbbbb\nwatch aaaaaaaaaaaa 1\nwatch bbbbbbbbbbbb 600\n",
		);
		const top = join(base, name);
		await expect.poll(() => existsSync(join(top, "bbbbbbbbbbbb.left"))).toBe(true);
		const run = (mark: string) => {
			const started = spawn("setsid", ["sleep", "600"], {
				env: { ...process.env, CRONIUM_REMOTE_RUN: `${name}/${mark}` },
				stdio: "ignore",
			});
			return once(started, "exit");
		};
		const [first, second] = [run("aaaaaaaaaaaa"), run("bbbbbbbbbbbb")];
		await first;
		await expect.poll(() => readdirSync(top).sort()).toEqual(["bbbbbbbbbbbb", "bbbbbbbbbbbb.left", "beat", "sdk"]);
		child.stdin.end();
		await second;
		await said;
		expect(await said).toBe(`\nthe-nonce\nready ${top}\nmade aaaaaaaaaaaa\nmade bbbbbbbbbbbb\n`);
		expect(readdirSync(base)).toEqual([]);
	});
});

describe("what is left on a host", () => {
	const [live, dead, own] = ["1111111111aa", "2222222222bb", "3333333333cc"];
	const path = (host: string, random: string, top = "/tmp") => `${top}/cronium-01234567-${host.slice(0, 10)}-${random}`;

	test("is that of dead hosts and of own connections that broke, and nothing else", () => {
		const paths = [
			path(live, "00000000"),
			path(dead, "00000001"),
			path(dead, "00000001"),
			path(dead, "00000002", "/home/a b"),
			path(own, "00000003"),
			path(own, "00000004"),
			"/tmp/cronium-01234567-short-00000000",
			"/tmp/cronium-01234567-2222222222-0000000g",
			"/tmp/cronium-01234567-2222222222-00000000/../../etc",
		];
		const used = new Set(["cronium-01234567-3333333333-00000003"]);
		expect(leftBehind({ paths, hostId: own, used, liveHosts: [live, own] })).toEqual([
			path(dead, "00000001"),
			path(dead, "00000002", "/home/a b"),
			path(own, "00000004"),
		]);
	});
});

describe("the nonce", () => {
	test("is found wherever the pieces of the output begin and end", () => {
		const output = Buffer.from("noise\nof a shell, no line break: NONCE begun\nfirst\nNONCE again\n");
		for (let size = 1; size <= output.length; size++) {
			const filter = new NonceFilter("NONCE");
			const rest: Buffer[] = [];
			for (let start = 0; start < output.length; start += size) rest.push(filter.take(output.subarray(start, start + size)));
			expect([filter.line, filter.noise, Buffer.concat(rest).toString()]).toEqual([
				"begun",
				"noise\nof a shell, no line break:",
				"first\nNONCE again\n",
			]);
		}
	});

	test("is waited for without keeping what comes before it", () => {
		const filter = new NonceFilter("NONCE");
		for (let index = 0; index < 1_000; index++) filter.take(Buffer.alloc(10_000, "x"));
		expect(filter.noise.length).toBeLessThanOrEqual(1_000);
		expect(filter.take(Buffer.from("NONCE ok\nrest")).toString()).toBe("rest");
	});
});

test("an archive of files is one that other programs read", () => {
	const directory = mkdtempSync(join(tmpdir(), "zip-"));
	onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
	const archive = join(directory, "a.zip");
	writeFileSync(
		archive,
		packZip(
			new Map([
				["pack/__init__.py", Buffer.from("A = 'é'\n")],
				["pack/empty.py", Buffer.alloc(0)],
			]),
		),
	);
	const source =
		"import sys, zipfile; sys.path.insert(0, sys.argv[1]); import pack, pack.empty; print(pack.A, zipfile.ZipFile(sys.argv[1]).testzip())";
	expect(spawnSync("python3", ["-c", source, archive], { encoding: "utf8" }).stdout).toBe("é None\n");
});
