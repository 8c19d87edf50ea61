/**
 * Tries, as code that has got out of its sandbox might, what a guest process must not be able to do, and writes what came of it to its line. It is started
 * as one is, and begins as one does. Its first argument says where things are.
 */
import "../../host/sandbox/confined.ts";
import { writeSync } from "node:fs";

interface Places {
	readonly data: string;
	readonly socket: string;
	readonly parent: number;
}

const { data, socket, parent } = JSON.parse(process.argv[2] ?? "") as Places;
const builtin = process.getBuiltinModule;
const fs = builtin("node:fs");
const found: Record<string, unknown> = {};

async function attempt(name: string, act: () => unknown): Promise<void> {
	try {
		const result = await act();
		found[name] = result === undefined ? "done" : result;
	} catch (error) {
		const { code, cause, message } = error as Error & { code?: string; cause?: { code?: string } };
		found[name] = `refused: ${cause?.code ?? code ?? message}`;
	}
}

const event = (emitter: NodeJS.EventEmitter, name: string): Promise<string> =>
	new Promise((resolve, reject) => {
		emitter.once(name, () => resolve(name));
		emitter.once("error", reject);
	});

found.environment = { ...process.env };
await attempt("image", () => fs.readFileSync(`${data}/images/python.image`, "latin1"));
for (const file of [
	`${data}/keys/audit.key`,
	`${data}/store.lmdb`,
	`${data}/images/../store.lmdb`,
	`${data}/images-of-others/python.image`,
	"/etc/passwd",
	"/proc/self/environ",
	`/proc/${parent}/environ`,
])
	await attempt(`read ${file}`, () => fs.readFileSync(file, "latin1"));
for (const directory of [data, "/", "/tmp"]) await attempt(`list ${directory}`, () => fs.readdirSync(directory));
for (const place of [
	`${data}/made`,
	`${data}/images/made`,
	`${data}/images/python.image`,
	"/tmp/cronium-made",
	new URL("./made", import.meta.url),
])
	await attempt(`write ${place}`, () => fs.writeFileSync(place, "x"));
await attempt("append to the program", () => fs.appendFileSync(new URL("../../host/index.ts", import.meta.url), "x"));
await attempt("change a mode", () => fs.chmodSync(data, 0o777));
await attempt("start a process", () => builtin("node:child_process").execFileSync("/bin/true"));
await attempt("become another program", () =>
	(process as unknown as { execve(file: string, argv: string[]): void }).execve("/bin/true", []),
);
await attempt("fork", () => builtin("node:cluster").fork());
await attempt("start a thread", () => void new (builtin("node:worker_threads").Worker)("1", { eval: true, execArgv: [] }));
await attempt("load an add-on", () => process.dlopen({ exports: {} }, "/tmp/x.node"));
await attempt("call a native function", () =>
	(builtin("node:ffi" as "node:fs") as unknown as { dlopen(file: string, definitions: object): void }).dlopen("libc.so.6", {}),
);
await attempt("load the store", () => builtin("node:module").createRequire(import.meta.url)("lmdb"));
await attempt("open a database", () => void new (builtin("node:sqlite").DatabaseSync)(`${data}/made`));
await attempt("use WASI", () => void new (builtin("node:wasi").WASI)({ version: "preview1", preopens: { "/": "/" } }));
await attempt("connect", () => event(builtin("node:net").connect(80, "127.0.0.1"), "connect"));
await attempt("connect to a socket file", () => event(builtin("node:net").connect(socket), "connect"));
await attempt("listen", () => event(builtin("node:net").createServer().listen(0), "listening"));
await attempt("send a datagram", () => {
	const datagrams = builtin("node:dgram").createSocket("udp4");
	datagrams.send("x", 9, "127.0.0.1");
	return event(datagrams, "listening");
});
await attempt("fetch", () => fetch("http://127.0.0.1:80"));
await attempt("look up a name", () => builtin("node:dns").promises.lookup("localhost"));
await attempt("kill the host", () => process.kill(parent, 0));
await attempt("debug the host", () => (process as unknown as { _debugProcess(pid: number): void })._debugProcess(parent));
await attempt("slow the host", () => builtin("node:os").setPriority(parent, 19));
await attempt("open the inspector", () => builtin("node:inspector").open(0));
await attempt("use an internal binding", () => (process as unknown as { binding(name: string): unknown }).binding("spawn_sync"));
await attempt("write a report", () => process.report.writeReport("/tmp/cronium-made"));
await attempt("set flags of V8", () => builtin("node:v8").setFlagsFromString("--trace-turbo"));
await attempt("write a heap snapshot", () => builtin("node:v8").writeHeapSnapshot("/tmp/cronium-made"));
await attempt("read a file as a module", () => import("/etc/passwd" as string));
await attempt("read an environment file", () => process.loadEnvFile(`${data}/keys/audit.key`));

writeSync(3, `${JSON.stringify(found)}\n`);
process.exit();
