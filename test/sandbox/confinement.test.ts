import { once } from "node:events";
import {
	closeSync,
	existsSync,
	mkdirSync,
	mkdtempSync,
	openSync,
	readdirSync,
	readFileSync,
	readlinkSync,
	rmSync,
	writeFileSync,
} from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, test } from "vitest";
import { createHost } from "../../host/index.ts";
import { spawnConfined } from "../../host/sandbox/confinement.ts";

const program = new URL("./confined-program.ts", import.meta.url);

/** What an attempt ends with that Node has refused, or for which there is no function any more. Whatever else it fails with proves nothing. */
const refusal =
	/^refused: (?:ERR_ACCESS_DENIED|ERR_DLOPEN_DISABLED|\S+ is not a function|Cannot read properties of undefined \(reading '\w+'\))$/;

/** What the permission model knows from Node 25 on; SECURITY.md tells those who run an older one. */
const networkAttempts = ["connect", "connect to a socket file", "listen", "send a datagram", "fetch", "look up a name"];
const notRefused = process.allowedNodeEnvironmentFlags.has("--allow-net") ? [] : networkAttempts;

test("a confined process has no environment, and can only compute and talk to its host", async () => {
	const data = mkdtempSync(join(tmpdir(), "cronium-test-"));
	const server = createServer();
	try {
		await using _host = await createHost({ dataDirectory: data, audit: true });
		expect(existsSync(join(data, "keys", "audit.key"))).toBe(true);
		const socket = join(data, "test.sock");
		await new Promise<void>((resolve) => server.listen(socket, resolve));
		process.env.CRONIUM_TEST_SECRET = "secret";
		const child = spawnConfined(program, [JSON.stringify({ data, socket, parent: process.pid })], [join(data, "images")]);
		// Made later than the process, as the image of Python may be. Links lead out of the directory for those who may make them, and a guest may not.
		for (const name of ["images", "images-of-others"]) {
			mkdirSync(join(data, name));
			writeFileSync(join(data, name, "python.image"), "image");
		}
		let text = "";
		let errors = "";
		(child.stdio[3] as Socket).setEncoding("utf8").on("data", (part: string) => {
			text += part;
		});
		child.stderr?.setEncoding("utf8").on("data", (part: string) => {
			errors += part;
		});
		const [code] = await once(child, "close");
		expect({ code, errors: errors.replace(/^.*(?:Warning|--trace-warnings).*\n/gm, "") }).toEqual({ code: 0, errors: "" });
		const { environment, image, ...attempts } = JSON.parse(text) as Record<string, unknown>;
		expect(environment).toEqual({});
		expect(image).toBe("image");
		expect(Object.keys(attempts).length).toBeGreaterThan(30);
		const succeeded = Object.keys(attempts).filter((name) => !refusal.test(String(attempts[name])));
		expect(succeeded).toEqual(notRefused);
		for (const made of [join(data, "made"), "/tmp/cronium-made"]) expect(existsSync(made)).toBe(false);
		expect(readFileSync(new URL("../../host/index.ts", import.meta.url), "utf8")).toMatch(/\}\n$/);
	} finally {
		delete process.env.CRONIUM_TEST_SECRET;
		server.close();
		rmSync(data, { recursive: true });
	}
});

test("a path that the permission model would take for several gives a guest nothing", async () => {
	const data = mkdtempSync(join(tmpdir(), "cronium-*-test-"));
	try {
		const refused = { code: "unavailable", message: expect.stringContaining(`${data}/images" to read, because it has a *`) };
		await expect(createHost({ dataDirectory: data, guests: "process" })).rejects.toMatchObject(refused);
		expect(readdirSync(data)).toEqual([]);
		expect(() => spawnConfined(program, [], [join(data, "images")])).toThrow(expect.objectContaining(refused));
		expect(() => spawnConfined(new URL("file:///opt/a*b/guest.js"), [])).toThrow("/opt/a*b/");
	} finally {
		rmSync(data, { recursive: true });
	}
});

test.skipIf(process.platform !== "linux")(
	"a confined process is given its three descriptors and no others, and is in a process group of its own",
	async () => {
		const own = openSync(import.meta.filename, "r");
		const child = spawnConfined(new URL("../../host/sandbox/guest-process.ts", import.meta.url), ["quickjs-wasi"]);
		try {
			// Its first word: it is ready, and has opened all that it opens.
			await once(child.stdio[3] as Socket, "data");
			const targets = readdirSync(`/proc/${child.pid}/fd`).map(
				(name) => [name, readlinkSync(`/proc/${child.pid}/fd/${name}`)] as const,
			);
			expect(targets.filter(([, target]) => target === import.meta.filename)).toEqual([]);
			const sockets = targets.filter(([, target]) => target.startsWith("socket:")).map(([name]) => name);
			expect(sockets.sort()).toEqual(["2", "3", "4"]);
			expect(readlinkSync(`/proc/${child.pid}/cwd`)).toBe("/");
			const [, , group] = (readFileSync(`/proc/${child.pid}/stat`, "latin1").split(") ")[1] ?? "").split(" ");
			expect(group).toBe(String(child.pid));
		} finally {
			closeSync(own);
			child.kill("SIGKILL");
			await once(child, "close");
		}
	},
);
