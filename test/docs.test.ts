import { execFile } from "node:child_process";
import { once } from "node:events";
import { chmodSync, cpSync, existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { type AddressInfo, createServer } from "node:net";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildAgent } from "../build-agent.ts";
import { command as agentCommand } from "../host/cli/agent.ts";
import { group as agents } from "../host/cli/agents.ts";
import { group as audit } from "../host/cli/audit.ts";
import { command as bundleCommand } from "../host/cli/bundle-command.ts";
import { type Command, exitCodes } from "../host/cli/command.ts";
import { command as devCommand } from "../host/cli/dev.ts";
import { group as executions } from "../host/cli/executions.ts";
import { group as hosts } from "../host/cli/hosts.ts";
import { group as images } from "../host/cli/images.ts";
import { group as keys } from "../host/cli/keys.ts";
import { command as limits } from "../host/cli/limits.ts";
import { describeDuration, describeSize } from "../host/cli/quantity.ts";
import { command as run } from "../host/cli/run.ts";
import { command as serveCommand } from "../host/cli/serve.ts";
import { command as sidecarCommand } from "../host/cli/sidecar.ts";
import { group as variables } from "../host/cli/variables.ts";
import { httpStatus } from "../host/contract/errors.ts";
import { operations } from "../host/contract/generated/operations.ts";
import { type LimitDefinition, limitDefinitions } from "../host/contract/limits.ts";
import type { LogLine } from "../host/execution.ts";
import { hostMembers } from "../host/executors/ssh/host-entry.ts";
import { hostsFile, SshHosts } from "../host/executors/ssh/hosts-file.ts";
import { createHost, type Host } from "../host/index.ts";
import { failureCodes } from "../host/sandbox/guest-report.ts";
import { publishServing } from "../host/serving.ts";
import { lockExclusive } from "../host/store/exclusive-role.ts";
import { builtProgram } from "./built-program.ts";
import { engineKinds, findTestEngine } from "./containers/engines.ts";
import { imageTimeoutMs, placePythonImage } from "./python-image.ts";
import { roomForStart } from "./room-for-start.ts";
import { sshdObstacle, startSshd } from "./ssh/sshd.ts";

/*
 * What the documentation shows is run, and what it lists is compared with the code. How a fenced block is marked:
 *
 *   ```js title=a.js               is written to a file that the commands behind it find
 *   ```js run input=… fails=CODE   is run as a script, with nothing in its namespace; it succeeds, or fails with the code
 *   ```ts library                  is run by Node as a program with the package installed
 *   ```json output, ```text output, ```text log    behind a `run` or `library` block: its output; its log as `cronium run` prints it
 *   ```console                     lines that begin with `$ ` are run by a shell, what follows is what they print; commands of npm and git are
 *                                  shown only. `examples/` is there, and variables last to the end of the page
 *
 *   ```console needs=containers    is left out where there is no container engine to test with
 *   ```console needs=sshd          is left out where no sshd can be started; there is one at port 2222, with an account `deploy` that takes ~/.ssh/id_ed25519
 *
 * Ports 8780 and 8781, which a server has when nothing else is said, and 8783 are replaced by free ones, and so is 2222.
 *
 * In what is expected `…` stands for any text within a line, and several spaces for any number from two. Blocks without a mark are not run.
 */

const projectDirectory = fileURLToPath(new URL("..", import.meta.url));
const pages = ["README.md", ...readdirSync(join(projectDirectory, "docs")).map((name) => `docs/${name}`)].filter((name) =>
	name.endsWith(".md"),
);
const read = (path: string): string => readFileSync(join(projectDirectory, path), "utf8");

/** Of a container engine. */
const [engine] = (await Promise.all(engineKinds.map((kind) => findTestEngine(kind)))).flatMap((found) =>
	"address" in found ? [found.address] : [],
);

/** Accounts with names of their own are for root only. */
const hasSshd = sshdObstacle(true) === undefined;

let host: Host;
let directory: string;
beforeAll(async () => {
	directory = mkdtempSync(join(tmpdir(), "cronium-docs-"));
	const dataDirectory = join(directory, "data");
	await placePythonImage(dataDirectory);
	host = await createHost({ dataDirectory, limits: { maxWorkers: 2 } });
}, imageTimeoutMs);
afterAll(async () => {
	await host.dispose();
	rmSync(directory, { recursive: true, force: true });
});

describe.concurrent.each(pages)("%s", (page) => {
	const blocks = readBlocks(read(page));
	const named = (kind: string) => (block: Block) => block.marks.includes(kind);

	test.concurrent.for(blocks.filter(named("run")))(
		"the script in line $line does what the page says",
		async (block, { expect }) => {
			const { language, text, line } = block;
			const input = markValue(block, "input");
			const { status, output, error, logs } = await host.run({
				script: { name: `example.${language}`, source: text },
				namespace: `${page.replaceAll("/", "-")}-${line}`,
				...(input !== undefined && { input }),
			});
			const fails = markValue(block, "fails");
			expect({ status, error: error?.code }, error?.message).toMatchObject(fails ? { error: fails } : { status: "succeeded" });
			const said = expectedBehind(blocks, block);
			if (said.output) expect(output).toEqual(JSON.parse(said.output.text));
			if (said.log) expect(logs.map(printLog).join("\n")).toMatch(pattern(said.log.text));
			if (!said.output) expect(output, "the page does not say that there is an output").toBeUndefined();
			if (!said.log) expect(logs, "the page does not say that there is a log").toEqual([]);
		},
	);

	test.concurrent.for(blocks.filter(named("library")))(
		"the program in line $line prints what the page says",
		async (block, { expect }) => {
			const file = join(installPackage(), `${page.replaceAll("/", "-")}-${block.line}.${block.language}`);
			writeFileSync(file, block.text);
			const { stdout } = await promisify(execFile)(process.execPath, [file]);
			expect(stdout.trimEnd()).toMatch(pattern(expectedBehind(blocks, block).output?.text ?? ""));
		},
	);

	const sessions = blocks.filter(
		({ language, marks }) =>
			language === "console" && (engine || !marks.includes("needs=containers")) && (hasSshd || !marks.includes("needs=sshd")),
	);
	if (sessions.length > 0)
		test.concurrent("its commands print what it says", { timeout: 120_000 }, async ({ expect }) => {
			const place = join(directory, page.replaceAll("/", "-"));
			mkdirSync(place);
			await placePythonImage(join(place, ".data"), "built");
			cpSync(join(projectDirectory, "examples"), join(place, "examples"), { recursive: true });
			for (const block of blocks) {
				const title = markValue(block, "title");
				if (title !== undefined) writeFileSync(join(place, title), block.text);
			}
			const commands = sessions.flatMap(readCommands);
			const [port, controlPort, agentPort] = await findPorts();
			await using remote = sessions.some(named("needs=sshd")) ? await openRemote(place) : undefined;
			const printed = await runCommands(
				commands.map(({ command }) =>
					command
						.replaceAll(":8780", `:${port}`)
						.replaceAll(":8781", `:${controlPort}`)
						.replaceAll(":8783", `:${agentPort}`)
						.replaceAll(/(-p|-P|--port) 2222/g, `$1 ${remote?.port}`),
				),
				place,
				{
					CRONIUM_LISTEN: `127.0.0.1:${port}`,
					CRONIUM_CONTROL_LISTEN: `127.0.0.1:${controlPort}`,
					...(engine && { CRONIUM_CONTAINER_ENGINE: engine }),
					...remote?.environment,
				},
			);
			expect(printed).toHaveLength(commands.length);
			for (const [index, { command, expected, line }] of commands.entries())
				expect.soft(printed[index]?.trimEnd(), `line ${line}: ${command}`).toMatch(pattern(expected));
		});

	test("its links lead somewhere", () => {
		for (const [, target = ""] of read(page).matchAll(/\]\(([^)\s]+)\)/g)) {
			if (/^[a-z]+:/.test(target)) continue;
			const [file = "", anchor] = target.split("#");
			const path = file === "" ? page : join(dirname(page), file);
			expect(existsSync(join(projectDirectory, path)), `${target}: there is no file ${path}`).toBe(true);
			if (anchor !== undefined) expect(anchorsOf(read(path)), target).toContain(anchor);
		}
	});

	test("has no mark that this test does not know", () => {
		const known = /^(?:run|library|output|log|signature|(?:title|input|fails)=\S+|needs=(?:containers|sshd))$/;
		for (const { marks, line } of blocks) for (const mark of marks) expect(mark, `line ${line}`).toMatch(known);
		expect(blocks.filter(named("output")).length + blocks.filter(named("log")).length).toBe(
			blocks.flatMap((block) => Object.values(expectedBehind(blocks, block))).length,
		);
	});
});

describe("docs/scripts.md", () => {
	const page = read("docs/scripts.md");
	const declarations = read("guest-sdks/js/cronium.d.ts");

	test("describes every helper under its name, with the signature of its declaration", () => {
		const declared = [...declarations.matchAll(/^export function (.+);$/gm)].map(([, signature]) => signature);
		expect(declared).toHaveLength(operations.length);
		const described = readBlocks(page).filter(({ marks }) => marks.includes("signature"));
		expect(described.map(({ text }) => text.trim()).sort()).toEqual(declared.sort());
		for (const { text } of described) expect(page).toContain(`#### ${/^\w+/.exec(text)?.[0]}\n\n\`\`\`ts signature\n${text}`);
	});

	test("names every option of a write, a delete and a list", () => {
		for (const name of ["SetOptions", "DeleteOptions", "ListOptions"])
			for (const option of membersOf(declarations, name)) expect(page).toContain(`\`${option}\``);
	});

	test("explains every failure code and no other", () => {
		expect(firstCells(section(page, "Failures and limits"))).toEqual(Object.keys(failureCodes).sort());
	});

	test("explains every code of a RuntimeError and no other", () => {
		expect(firstCells(section(page, "Errors"))).toEqual(Object.keys(httpStatus).sort());
	});

	test("names limits that exist", () => {
		for (const [, name = ""] of page.matchAll(/\b(max[A-Z]\w+)/g)) expect(Object.keys(limitDefinitions)).toContain(name);
	});

	test("lists every global that the sandbox adds to the language, and none that it has not", async () => {
		const source = "export default () => Object.getOwnPropertyNames(globalThis)";
		const { output } = await host.run({ script: { name: "globals.js", source } });
		const present = new Set(output as string[]);
		const listed = [...section(page, "Web APIs").matchAll(/^\| (`.+?) \|/gm)].flatMap(([, cell = ""]) => codeIn(cell));
		expect(listed.filter((name) => !present.has(name))).toEqual([]);
		expect([...present].filter((name) => !listed.includes(name) && !languageGlobals.has(name))).toEqual([]);
		const missing = [...section(page, "What does not exist").matchAll(/^\| (.*?) \|/gm)].flatMap(([, cell = ""]) => codeIn(cell));
		expect(missing.filter((name) => present.has(name))).toEqual([]);
		expect(missing.length).toBeGreaterThan(8);
	});
});

describe("docs/command-line.md", () => {
	const page = read("docs/command-line.md");
	const groups = [variables, executions, agents, hosts, images, keys, audit].flatMap(({ commands }) => Object.values(commands));

	test.each(
		[run, devCommand, ...groups, serveCommand, sidecarCommand, agentCommand, bundleCommand, limits].map(
			(command): [string, Command] => [command.name, command],
		),
	)("describes %s with every option and no other", (name, { operands, options }) => {
		const text = section(page, name);
		expect(text).toContain(`\`${`${name} ${operands}`.trim()}\``);
		const expected = options.map(
			(option) => `--${option.name}${option.value ? ` ${option.value}` : ""}${option.repeats ? " …" : ""}`,
		);
		expect([...text.matchAll(/^\| `(--.+?)` \|/gm)].map(([, form]) => form)).toEqual(expected);
	});

	test("explains every exit code and no other", () => {
		const codes = [...section(page, "Exit codes").matchAll(/^\| (\d+) \|/gm)].map(([, code]) => Number(code));
		expect(codes).toEqual(Object.values(exitCodes).sort((a, b) => a - b));
	});
});

describe("docs/library.md", () => {
	const page = read("docs/library.md");

	test.each([
		["createHost", "host/index.ts", "HostOptions"],
		["RunOptions", "host/run-options.ts", "RunOptions"],
		["Outcome", "host/execution.ts", "Outcome"],
		["host.executions", "host/host.ts", "ExecutionArchive"],
		["host.variables", "host/helpers/operator.ts", "OperatorVariables"],
	])("explains under %s every member of %s %s and no other", (title, file, name) => {
		const names = firstCells(section(page, title)).map((cell) => /^\w+/.exec(cell)?.[0]);
		expect(names).toEqual(membersOf(read(file), name).sort());
	});

	test("names every scope", () => {
		for (const { scope } of operations) expect(page).toContain(`\`${scope}\``);
	});
});

describe("docs/ssh.md", () => {
	test("explains every member of a host in hosts.toml and no other", () => {
		expect(firstCells(section(read("docs/ssh.md"), "Hosts"))).toEqual([...hostMembers].sort());
	});
});

describe("docs/operating.md", () => {
	const page = read("docs/operating.md");

	test("has the table of limits as it is in the code", () => {
		const rows = Object.entries<LimitDefinition>(limitDefinitions).map(([name, limit]) =>
			[
				`\`${name}\``,
				describeLimit(limit, "default"),
				describeLimit(limit, "minimum"),
				describeLimit(limit, "maximum"),
				limit.scope,
				limit.description,
			].join(" | "),
		);
		expect([...section(page, "Limits").matchAll(/^\| (`.+) \|$/gm)].map(([, row]) => row)).toEqual(rows);
	});

	test("lists what is in a data directory", async () => {
		const dataDirectory = join(directory, "listed");
		await placePythonImage(dataDirectory);
		await using listed = await createHost({ dataDirectory, audit: true, containers: { ...(engine && { engine }) } });
		await listed.run({ script: { name: "empty.js", source: "" } });
		if (engine) await listed.run({ script: { name: "empty.sh", source: "" } });
		const fingerprints = [`SHA256:${"a".repeat(43)}`];
		await new SshHosts(hostsFile(dataDirectory)).add("web1", { address: "10.0.0.5", user: "cronium", agent: true, fingerprints });
		publishServing(dataDirectory, {
			pid: process.pid,
			host: "none",
			control: "http://127.0.0.1:8781",
			asksForCertificates: false,
			operatorTokenFile: "operator.token",
		});
		const role = await lockExclusive(dataDirectory, "serve", listed);
		const found = readdirSync(dataDirectory, { withFileTypes: true }).map(
			(entry) => entry.name + (entry.isDirectory() ? "/" : ""),
		);
		await role.close();
		const onlyWithEngines = engine ? [] : ["engines/", "runs/"];
		expect(firstCells(section(page, "The data directory"))).toEqual([...found, ...onlyWithEngines].sort());
	});

	test("explains every member of an entry of the journal", () => {
		const cells = [...section(page, "The journal").matchAll(/^\| (`.+?) \|/gm)].flatMap(([, cell = ""]) => codeIn(cell));
		expect(cells.sort()).toEqual(membersOf(read("host/helpers/journal-reader.ts"), "JournalEntry").sort());
	});
});

/** The globals of the language itself, and of QuickJS. */
const languageGlobals = new Set(
	`AggregateError Array ArrayBuffer AsyncDisposableStack BigInt BigInt64Array BigUint64Array Boolean DataView Date DisposableStack Error EvalError
	FinalizationRegistry Float16Array Float32Array Float64Array Function Infinity Int16Array Int32Array Int8Array InternalError Iterator JSON Map Math NaN Number
	Object Promise Proxy RangeError ReferenceError Reflect RegExp Set SharedArrayBuffer String SuppressedError Symbol SyntaxError TypeError URIError Uint16Array
	Uint32Array Uint8Array Uint8ClampedArray WeakMap WeakRef WeakSet decodeURI decodeURIComponent encodeURI encodeURIComponent escape eval isFinite isNaN parseFloat
	parseInt undefined unescape`.split(/\s+/),
);

interface Block {
	readonly language: string;
	readonly marks: readonly string[];
	readonly text: string;
	/** Of the opening fence. */
	readonly line: number;
	/** Where the next block has to begin to belong to this one. */
	readonly behind: number;
}

function readBlocks(page: string): readonly Block[] {
	const blocks: Block[] = [];
	const lines = page.split("\n");
	for (let index = 0; index < lines.length; index++) {
		const [, language = "", marks = ""] = /^```(\S*) ?(.*)$/.exec(lines[index] ?? "") ?? [];
		if (!lines[index]?.startsWith("```")) continue;
		const end = lines.indexOf("```", index + 1);
		if (end < 0) throw new Error(`The block in line ${index + 1} has no end.`);
		const text = lines.slice(index + 1, end).map((line) => `${line}\n`);
		blocks.push({ language, marks: marks.split(" ").filter(Boolean), text: text.join(""), line: index + 1, behind: end + 3 });
		index = end;
	}
	return blocks;
}

function markValue({ marks }: Block, name: string): string | undefined {
	return marks.find((mark) => mark.startsWith(`${name}=`))?.slice(name.length + 1);
}

/** The blocks directly behind a block that say what comes out of it. */
function expectedBehind(blocks: readonly Block[], block: Block): { output?: Block; log?: Block } {
	const found: { output?: Block; log?: Block } = {};
	if (!block.marks.includes("run") && !block.marks.includes("library")) return found;
	for (
		let next = blocks[blocks.indexOf(block) + 1], behind = block.behind;
		next?.line === behind;
		next = blocks[blocks.indexOf(next) + 1]
	) {
		if (next.marks[0] === "output") found.output = next;
		else if (next.marks[0] === "log") found.log = next;
		else break;
		behind = next.behind;
	}
	return found;
}

interface ShownCommand {
	readonly command: string;
	readonly expected: string;
	readonly line: number;
}

/** A command goes on over the lines of its here-document. */
function readCommands({ text, line }: Block): readonly ShownCommand[] {
	const commands: { command: string; expected: string; line: number; until?: string | undefined }[] = [];
	for (const [index, shown] of text.split("\n").entries()) {
		const last = commands.at(-1);
		if (last?.until !== undefined) {
			last.command += `\n${shown}`;
			if (shown === last.until) last.until = undefined;
		} else if (shown.startsWith("$ "))
			commands.push({ command: shown.slice(2), expected: "", line: line + 1 + index, until: /<< (\w+)$/.exec(shown)?.[1] });
		else if (last) last.expected += `${shown}\n`;
		else if (shown !== "") throw new Error(`Line ${line + 1 + index} is not the output of a command.`);
	}
	return commands.filter(({ command }) => !/^(?:npm|git) /.test(command));
}

/** Runs the commands in one shell. Answers with what each of them printed, standard error included. */
async function runCommands(
	commands: readonly string[],
	place: string,
	variables: Readonly<Record<string, string>>,
): Promise<readonly string[]> {
	const bin = join(place, ".bin");
	mkdirSync(bin, { recursive: true });
	const launcher = `exec '${process.execPath}' ${roomForStart} '${join(builtProgram(), "bin/cronium.js")}' "$@"`;
	for (const [name, body] of [
		["cronium", launcher],
		["npx", `shift; ${launcher}`],
	] as const) {
		writeFileSync(join(bin, name), `#!/bin/sh\n${body}\n`);
		chmodSync(join(bin, name), 0o755);
	}
	const border = "\u0001";
	const script = commands.map((command) => `(exit $code)\n${command}\ncode=$?\nprintf '\\001'\n`).join("");
	const { NO_COLOR: _, FORCE_COLOR: __, ...environment } = process.env;
	const env = { ...environment, ...variables, PATH: `${bin}:${process.env.PATH}`, CRONIUM_DATA: join(place, ".data") };
	const { stdout } = await promisify(execFile)("/bin/sh", ["-c", `exec 2>&1\ncode=0\n${script}`], { cwd: place, env });
	return stdout.split(border).slice(0, commands.length);
}

/** An sshd that knows this user's key, as one that a reader has set up, and what the reader has at home. */
async function openRemote(place: string) {
	await using opened = new AsyncDisposableStack();
	const programs = join(place, ".programs");
	mkdirSync(programs);
	const sshd = opened.use(
		await startSshd({
			accounts: { deploy: {} },
			configuration: [`SetEnv PATH=${programs}:/usr/local/bin:/usr/bin:/bin`, "Subsystem sftp internal-sftp"],
		}),
	);
	// Its account cannot enter the directory of the clone.
	for (const path of [directory, place, programs]) chmodSync(path, 0o755);
	cpSync(process.execPath, join(programs, "node"));
	const home = join(place, ".home");
	mkdirSync(join(home, ".ssh"), { recursive: true, mode: 0o700 });
	cpSync(sshd.keyFile, join(home, ".ssh", "id_ed25519"));
	// ssh reads the files of the account, whatever HOME says.
	const bin = join(place, ".bin");
	mkdirSync(bin, { recursive: true });
	const options = `-i '${sshd.keyFile}' -o UserKnownHostsFile='${sshd.knownHostsFile}' -o BatchMode=yes`;
	for (const name of ["ssh", "scp"]) {
		writeFileSync(join(bin, name), `#!/bin/sh\nexec /usr/bin/${name} ${options} "$@"\n`);
		chmodSync(join(bin, name), 0o755);
	}
	await buildAgent(join(place, "node_modules/cronium-runtime/dist/agent.js"));
	const owned = opened.move();
	return { port: sshd.port, environment: { HOME: home }, [Symbol.asyncDispose]: () => owned.disposeAsync() };
}

/** Ports of loopback that nobody has. */
async function findPorts(): Promise<readonly [number, number, number]> {
	const servers = [createServer(), createServer(), createServer()];
	for (const server of servers) await once(server.listen(0, "127.0.0.1"), "listening");
	const ports = servers.map((server) => (server.address() as AddressInfo).port) as [number, number, number];
	for (const server of servers) await once(server.close(), "close");
	return ports;
}

let installed: string | undefined;

/** A directory in which programs can import the package; it is the sources that they get. */
function installPackage(): string {
	if (installed !== undefined) return installed;
	installed = join(directory, "library");
	const packageDirectory = join(installed, "node_modules/cronium-runtime");
	mkdirSync(packageDirectory, { recursive: true });
	writeFileSync(join(installed, "package.json"), '{"type":"module"}');
	writeFileSync(join(packageDirectory, "package.json"), '{"name":"cronium-runtime","type":"module","exports":"./index.js"}');
	const entry = pathToFileURL(join(projectDirectory, "host/index.ts")).href;
	writeFileSync(join(packageDirectory, "index.js"), `export * from ${JSON.stringify(entry)};\n`);
	return installed;
}

/** A line of a log as `cronium run` prints it. */
function printLog({ level, source, message, fields }: LogLine): string {
	if (source !== "log") return message;
	return `${level.padEnd(5)} ${message}${fields === undefined ? "" : ` ${fields}`}`;
}

/** Matches the whole text: `…` is any text within a line, several spaces are any number from two, because columns are as wide as what is in them. */
function pattern(expected: string): RegExp {
	const escaped = expected.trimEnd().replace(/[\\^$.*+?()[\]{}|]/g, "\\$&");
	return new RegExp(`^${escaped.replaceAll("…", ".*").replace(/ {2,}/g, " {2,}")}$`);
}

/** The text under a heading, up to the next heading of its level or above. */
function section(page: string, title: string): string {
	const lines = page.replace(/^```[\s\S]*?^```$/gm, (block) => block.replace(/^#/gm, " ")).split("\n");
	const start = lines.findIndex((line) => /^#+ /.test(line) && line.replace(/^#+ /, "") === title);
	if (start < 0) throw new Error(`There is no heading "${title}".`);
	const level = /^#+/.exec(lines[start] as string)?.[0].length as number;
	const end = lines.findIndex((line, index) => index > start && (/^(#+) /.exec(line)?.[1]?.length ?? 7) <= level);
	return lines.slice(start, end < 0 ? undefined : end).join("\n");
}

/** What is in the first column of the tables, as code and one to a cell. */
function firstCells(text: string): readonly string[] {
	return [...text.matchAll(/^\| `([^`]+)` \|/gm)].map(([, cell = ""]) => cell).sort();
}

const codeIn = (text: string): readonly string[] => [...text.matchAll(/`([^`]+)`/g)].map(([, code = ""]) => code);

/** The names of what an interface declares itself. */
function membersOf(source: string, name: string): string[] {
	const [, body = ""] = new RegExp(`^export interface ${name}\\b[^{]*\\{\\n([\\s\\S]*?)^\\}`, "m").exec(source) ?? [];
	const members = [...body.matchAll(/^\t(?:readonly )?(\w+)\??[(:]/gm)].map(([, member = ""]) => member);
	if (members.length === 0) throw new Error(`There is no interface ${name}.`);
	return members;
}

/** The anchors of a page's headings, as GitHub makes them. */
function anchorsOf(page: string): readonly string[] {
	return [...page.matchAll(/^#+ (.+)$/gm)].map(([, title = ""]) =>
		title
			.toLowerCase()
			.replace(/[^\p{L}\p{N} _-]/gu, "")
			.replaceAll(" ", "-"),
	);
}

function describeLimit(limit: LimitDefinition, bound: "default" | "minimum" | "maximum"): string {
	const value = limit[bound];
	if (limit.unit === "bytes") return describeSize(value);
	return limit.unit === "milliseconds" ? describeDuration(value) : `${value.toLocaleString("en")} ${limit.unit}`;
}
