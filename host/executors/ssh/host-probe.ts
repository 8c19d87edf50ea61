import { randomBytes } from "node:crypto";
import { excerpt } from "../../contract/excerpt.ts";
import { maxLeases } from "./connection-pool.ts";
import { NonceFilter, readBehind } from "./session-output.ts";
import { oneLine, startCommand } from "./shell-program.ts";
import type { RemoteSession, SshConnection } from "./ssh-connection.ts";
import { describeHost, SshError } from "./ssh-error.ts";
import type { SshHost } from "./ssh-host.ts";

/** A program on the PATH of the account's sessions. */
export interface RemoteProgram {
	readonly path: string;
	/** As it says it itself; undefined when it does not. */
	readonly version: string | undefined;
}

/** What a host has of what scripts need. */
export interface HostFindings {
	/** `Linux 6.1.0 x86_64`. */
	readonly system: string;
	/** The login shell of the account. */
	readonly shell: string;
	/** Where runs have their directories; undefined when nothing can be written there. */
	readonly directory: string | undefined;
	readonly programs: Readonly<Record<ProbedProgram, RemoteProgram | undefined>>;
	/** Whether sshd listens on a socket for us: what the tunnel needs. */
	readonly forwardsSockets: boolean;
	/** Sessions that a connection had, of those that were tried. */
	readonly sessions: number;
	/** What is missing, a line each. */
	readonly problems: readonly string[];
	/** What would be better. */
	readonly hints: readonly string[];
}

/** Programs that scripts and their SDKs need, and from which version on. */
const needed = {
	node: { minimum: "18.0", use: "JavaScript and TypeScript" },
	python3: { minimum: "3.9", use: "Python" },
	bash: { minimum: "4.4", use: "Bash" },
	curl: { minimum: undefined, use: "the helpers of Bash scripts" },
	jq: { minimum: undefined, use: undefined },
} as const;
export type ProbedProgram = keyof typeof needed;
const programNames = Object.keys(needed) as readonly ProbedProgram[];

/** Those of runs, and the one that looks after them. */
const sessionsNeeded = maxLeases + 1;

/** Says what it finds, waits for a line, and removes the directory that it has made; also when no line comes. */
const program = oneLine(`
umask 077;
IFS= read -r _nonce && IFS= read -r _given || exit 125;
printf "\\n%s\\n" "$_nonce";
printf "system %s\\n" "$(uname -s -r -m 2>/dev/null)";
printf "shell %s\\n" "\${SHELL-}";
for _each in ${programNames.join(" ")}; do
	_path=$(command -v "$_each" 2>/dev/null) || continue;
	printf "program %s %s\\n" "$_each" "$_path";
	printf "version %s %s\\n" "$_each" "$("$_each" --version </dev/null 2>&1 | sed -n 1p)";
done;
if [ -n "$_given" ]; then set -- "$_given"; else set -- "\${TMPDIR:-/tmp}" /tmp "$HOME"; fi;
for _each in "$@"; do
	_made="$_each/.cronium-\${_nonce}";
	if mkdir -m 700 "$_made" 2>/dev/null && printf "%s\\n" "$_nonce" 2>/dev/null >"$_made/file" && [ -s "$_made/file" ]; then
		printf "directory %s\\n" "$_each";
		break;
	fi;
	rm -rf "$_made" 2>/dev/null;
	_made=;
done;
printf "end\\n";
IFS= read -r _line;
[ -z "$_made" ] || rm -rf "$_made"`);

/** Looks at what a host has. Rejects with SshError when no POSIX shell answers there, or the reason of the signal. */
export async function probeHost(host: SshHost, connection: SshConnection, signal: AbortSignal): Promise<HostFindings> {
	const stop = (): void => void connection[Symbol.asyncDispose]();
	signal.addEventListener("abort", stop, { once: true });
	try {
		const nonce = randomBytes(6).toString("hex");
		const session = await connection.exec(startCommand);
		session.stdin.write(`${program}\n${nonce}\n${host.directory ?? ""}\n`);
		const answers = await readAnswers(host, session, nonce);
		const directory = answers.find(([what]) => what === "directory")?.[1];
		const forwardsSockets = directory !== undefined && (await canListen(connection, `${directory}/.cronium-${nonce}/s`));
		const sessions = 1 + (await countSessions(connection, sessionsNeeded - 1));
		session.stdin.end("\n");
		await session.ended;
		return describe(host, answers, directory, forwardsSockets, sessions);
	} catch (cause) {
		throw signal.aborted ? signal.reason : cause;
	} finally {
		signal.removeEventListener("abort", stop);
	}
}

const lastLine = /^end\n$/m;

type Answers = readonly (readonly [what: string, text: string])[];

async function readAnswers(host: SshHost, session: RemoteSession, nonce: string): Promise<Answers> {
	const filter = new NonceFilter(nonce);
	let said = "";
	let complaints = "";
	session.stderr.on("data", (chunk: Buffer) => {
		complaints = `${complaints}${chunk}`.slice(-1_000);
	});
	await new Promise<void>((resolve) => {
		const read = readBehind(
			session.stdout,
			filter,
			() => {},
			(text) => {
				said += text;
				if (lastLine.test(said)) resolve();
				return said.length < 64 * 1024;
			},
		);
		void read.then(resolve);
	});
	if (!lastLine.test(said))
		throw new SshError(
			"host-unsuitable",
			`${describeHost(host)} has no POSIX shell that answers at /bin/sh; it said ${excerpt(`${filter.noise}\n${complaints}`.trim(), 300)}.`,
		);
	return said.split("\n").flatMap((line) => {
		const [, what, text] = /^(\w+) (.*)$/.exec(line) ?? [];
		return what === undefined || text === undefined ? [] : [[what, text] as const];
	});
}

async function canListen(connection: SshConnection, path: string): Promise<boolean> {
	try {
		await using _listening = await connection.listen(path, (stream) => stream.destroy());
		return true;
	} catch {
		return false;
	}
}

/** How many more sessions the host allows on the connection, of so many. */
async function countSessions(connection: SshConnection, wanted: number): Promise<number> {
	const sessions: RemoteSession[] = [];
	try {
		while (sessions.length < wanted) sessions.push(await connection.exec("exec cat"));
	} catch {
		// As many as there are.
	}
	for (const { stdin, stdout, stderr } of sessions) {
		stdout.resume();
		stderr.resume();
		stdin.end();
	}
	await Promise.all(sessions.map(({ ended }) => ended));
	return sessions.length;
}

function describe(
	host: SshHost,
	answers: Answers,
	directory: string | undefined,
	forwardsSockets: boolean,
	sessions: number,
): HostFindings {
	const about = (what: string, name: ProbedProgram): string | undefined =>
		answers.find(([one, text]) => one === what && text.startsWith(`${name} `))?.[1].slice(name.length + 1);
	const find = (name: ProbedProgram): RemoteProgram | undefined => {
		const path = about("program", name);
		return path === undefined ? undefined : { path, version: /\d+(?:\.\d+)+/.exec(about("version", name) ?? "")?.[0] };
	};
	const programs = Object.fromEntries(programNames.map((name) => [name, find(name)])) as Record<
		ProbedProgram,
		RemoteProgram | undefined
	>;
	const problems = programNames.flatMap((name) => {
		const { minimum, use } = needed[name];
		if (use === undefined) return [];
		const found = programs[name];
		const wanted = minimum === undefined ? use : `${use}, ${minimum} or later`;
		if (!found)
			return [`${name} is missing (no such program is on the PATH of the account's sessions); it is needed for ${wanted}.`];
		if (minimum === undefined || (found.version !== undefined && isSince(found.version, minimum))) return [];
		return [
			`${name} is too old: ${found.path} is ${found.version ?? "of a version that it does not say"}; it is needed for ${wanted}.`,
		];
	});
	if (directory === undefined)
		problems.push(
			`No directory can be written: ${host.directory === undefined ? "neither TMPDIR, /tmp nor the home of the account takes one" : `${host.directory} takes none`}; is its disk full, or read-only?`,
		);
	else if (!forwardsSockets)
		problems.push(
			"The host does not forward Unix sockets: its sshd needs AllowStreamLocalForwarding yes, and not DisableForwarding. Only by URL or agent scripts reach their helpers there.",
		);
	if (sessions < sessionsNeeded)
		problems.push(
			`A connection has ${sessions} ${sessions === 1 ? "session" : "sessions"} only; runs need ${sessionsNeeded}: MaxSessions of its sshd is 10 by default.`,
		);
	const text = (what: string): string => answers.find(([one]) => one === what)?.[1] ?? "";
	return {
		system: text("system"),
		shell: text("shell"),
		directory,
		programs,
		forwardsSockets,
		sessions,
		problems,
		hints: programs.jq ? [] : ["jq is not there; Bash scripts need none, and some of their helpers are faster with it."],
	};
}

/** Whether a version is another one or came after it: major and minor number are compared. */
function isSince(version: string, minimum: string): boolean {
	const [major = 0, minor = 0] = version.split(".").map(Number);
	const [leastMajor = 0, leastMinor = 0] = minimum.split(".").map(Number);
	return major > leastMajor || (major === leastMajor && minor >= leastMinor);
}
