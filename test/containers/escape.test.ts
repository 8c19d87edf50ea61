import { readFileSync } from "node:fs";
import { createServer, type Server } from "node:net";
import { networkInterfaces } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, describe, expect, test } from "vitest";
import { type ContainerHost, openContainerHost, reported } from "./container-host.ts";
import { engineKinds, findTestEngine } from "./engines.ts";

const attack = (name: string): string => readFileSync(join(import.meta.dirname, "attacks", name), "utf8");
const attempts = attack("attempts.py");

/** What was not refused as the pattern says, or as its own entry of `exceptions` does. */
function notRefused(
	report: Readonly<Record<string, unknown>>,
	refusal: RegExp,
	exceptions: Readonly<Record<string, unknown>> = {},
) {
	const names = new Set([...Object.keys(report), ...Object.keys(exceptions)]);
	return [...names].filter((name) => {
		const expected = Object.hasOwn(exceptions, name) ? exceptions[name] : refusal;
		return expected instanceof RegExp
			? !expected.test(String(report[name]))
			: JSON.stringify(expected) !== JSON.stringify(report[name]);
	});
}

describe.each(engineKinds)("a script in a container of %s", async (kind) => {
	const found = await findTestEngine(kind);
	const isMissing = "missing" in found;
	let containers: ContainerHost;
	let listener: Server;
	let abstract: Server;
	beforeAll(async () => {
		if (isMissing) return;
		containers = await openContainerHost(kind, { limits: { maxCpuTimeMs: 60_000 } });
		listener = createServer((socket) => socket.end()).listen(0, "0.0.0.0");
		abstract = createServer((socket) => socket.end()).listen("\0cronium-test-abstract");
		for (const server of [listener, abstract])
			if (!server.listening) await new Promise((resolve) => server.once("listening", resolve));
	});
	afterAll(async () => {
		listener?.close();
		abstract?.close();
		await containers?.[Symbol.asyncDispose]();
	});
	afterEach(() => containers?.requireNothingLeft());

	const run = async (name: string, given: readonly string[] = []) => {
		const source = attempts + attack(name);
		const outcome = await containers.run("attack.py", source, { arguments: given });
		expect(outcome).toMatchObject({ status: "succeeded" });
		return reported(outcome) as Readonly<Record<string, unknown>>;
	};

	test.skipIf(isMissing)("gets nothing from the kernel that it was not given", async () => {
		const report = await run("kernel.py");
		const none = "0000000000000000";
		expect(
			notRefused(report, /^EPERM$/, {
				// As if there was no such call, so that libraries make their threads by an older one.
				"clone3 user": "ENOSYS",
				"nice below zero": "EACCES",
				// There is no terminal.
				"terminal input": /^(ENXIO|ENOTTY|EPERM)$/,
				...(process.arch === "x64" && { "32-bit call": "signal 31", "x32 call": "signal 31" }),
				// Not even an id that is mapped.
				"setuid root": /^E(PERM|INVAL)$/,
				"setuid another": /^E(PERM|INVAL)$/,
				"setgid root": /^E(PERM|INVAL)$/,
				"programs with rights": [],
				...Object.fromEntries(["CapEff", "CapPrm", "CapBnd", "CapAmb", "CapInh"].map((name) => [name, none])),
				NoNewPrivs: "1",
				Seccomp: "2",
				"is root": false,
			}),
			JSON.stringify(report),
		).toEqual([]);
	});

	test.skipIf(isMissing)("changes nothing but what is in its own directories, and finds nothing of the machine", async () => {
		const { "leave the door": outside, ...report } = await run("files.py");
		const exceptions = Object.fromEntries(
			Object.keys(report)
				.filter((name) => /^put a (link|FIFO) in place/.test(name))
				.map((name) => [name, /^E(EXIST|ROFS)$/]),
		);
		expect(
			notRefused(report, /^E(ROFS|ACCES|PERM|NOENT)$/, {
				...exceptions,
				// A socket cannot be written as a file.
				"change api.sock": /^E(NXIO|ROFS|ACCES)$/,
				"hard link to the token": "EXDEV",
				// Addresses of the kernel are zeroes.
				kallsyms: /^(false|E\w+)$/,
				"root of init": true,
				debugfs: /^(|E\w+)$/,
				"control groups": [],
				"run a program in /tmp": /^(13|EACCES)$/,
				"run a program in /dev/shm": /^(13|EACCES)$/,
				"run a program in /work": 0,
				"temporary files": "done",
			}),
			JSON.stringify(report),
		).toEqual([]);
		// The parent directory of the door's is the container's own.
		expect(outside).toEqual(expect.arrayContaining(["proc", "script", "work"]));
		expect(outside).not.toContain("home");
	});

	test.skipIf(isMissing)("reaches nobody", async () => {
		const { port } = listener.address() as { port: number };
		const addresses = Object.values(networkInterfaces()).flatMap((all) => all ?? []);
		const machine = addresses.filter(({ family, internal }) => family === "IPv4" && !internal).map(({ address }) => address);
		const { interfaces, ...report } = await run("network.py", [`${port}`, ...machine]);
		expect(
			notRefused(report, /^ENETUNREACH$/, {
				"loopback of the machine": "ECONNREFUSED",
				DNS: "gaierror",
				routes: [],
				"abstract sockets": [],
				"the test's abstract socket": "ECONNREFUSED",
				...Object.fromEntries(
					Object.keys(report)
						.filter((name) => /vsock|socket$|^netlink/.test(name) && name !== "the test's abstract socket")
						.map((name) => [name, "EPERM"]),
				),
			}),
			JSON.stringify(report),
		).toEqual([]);
		// Some kernels make tunnels in every network namespace, which have no address.
		expect(interfaces).toContain("lo");
		expect(interfaces).not.toContain("eth0");
	});

	test.skipIf(isMissing)("finds nothing of the host in what it was given", async () => {
		process.env.CRONIUM_SECRET_OF_TEST = "do-not-inherit";
		const outcome = await containers.run(
			"facts.py",
			`
import json, os, socket, sys
texts = {}
for path in ("/etc/hosts", "/etc/hostname", "/etc/resolv.conf", "/etc/passwd", "/proc/1/environ", "/proc/1/cmdline", "/proc/self/cgroup"):
    try:
        texts[path] = open(path).read()
    except OSError as error:
        texts[path] = ""
print(json.dumps({"environment": dict(os.environ), "texts": texts, "uname": os.uname()[:2], "host": socket.gethostname(), "tree": [
    path for path, directories, files in os.walk("/", topdown=True)
    if not (directories.clear() if path in ("/proc", "/sys", "/usr", "/lib") else None) and "token" in files],
    "descriptors": sorted(os.listdir("/proc/self/fd"))[:-1], "targets": [os.readlink("/proc/self/fd/" + n) for n in ("0", "1", "2")]}))
`,
		);
		delete process.env.CRONIUM_SECRET_OF_TEST;
		const facts = reported(outcome);
		expect(Object.keys(facts.environment).sort()).toEqual(
			[
				...["CRONIUM_CA_CERT", "CRONIUM_CLIENT_CERT", "CRONIUM_CLIENT_KEY", "CRONIUM_EXECUTION_TOKEN_FILE", "CRONIUM_SOCKET"],
				...["HOME", "HOSTNAME", "LANG", "PATH", "PWD", "PYTHONDONTWRITEBYTECODE", "PYTHONUNBUFFERED", "TINI_KILL_PROCESS_GROUP"],
				...["TMPDIR", ...(kind === "podman" ? ["TERM", "container"] : [])],
			].sort(),
		);
		expect(facts.uname[1]).toBe("run");
		expect(facts.host).toBe("run");
		const all = JSON.stringify(facts);
		const machine = readFileSync("/proc/sys/kernel/hostname", "utf8").trim();
		expect(facts.texts["/etc/hosts"].replace(/\s+/g, " ").trim()).toMatch(/^(127\.0\.0\.1 localhost ::1 localhost)?$/);
		for (const fact of ["do-not-inherit", containers.dataDirectory, containers.host.id, process.cwd()])
			expect(all).not.toContain(fact);
		if (machine.length > 3) expect(all).not.toContain(machine);
		// The test itself sees no list of the door's directory; of other runs there is none.
		expect(facts.tree).toEqual([]);
		expect(facts.targets[0]).toBe("/dev/null");
		expect(facts.descriptors).toEqual(["0", "1", "2"]);
	});
});
