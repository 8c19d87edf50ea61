import { randomBytes } from "node:crypto";
import { constants } from "node:os";
import { posix } from "node:path";
import { excerpt } from "../../contract/excerpt.ts";
import { within } from "../../within.ts";
import type { PlacedScript } from "../script-job.ts";
import type { Keeper, KeptRun } from "./keeper.ts";
import { runMark } from "./keeper-program.ts";
import { encodeLaunch, launcher } from "./launcher.ts";
import { describeLaunch, sdkName } from "./remote-script.ts";
import type { ScriptDoor } from "./script-door.ts";
import { NonceFilter, readBehind } from "./session-output.ts";
import { startCommand } from "./shell-program.ts";
import type { RemoteExit, RemoteSession, SshConnection } from "./ssh-connection.ts";
import { describeHost, SshError } from "./ssh-error.ts";
import type { SshHost } from "./ssh-host.ts";

export interface RemoteRunPlan {
	readonly host: SshHost;
	readonly connection: SshConnection;
	readonly keeper: Keeper;
	readonly script: PlacedScript;
	/** After so many seconds the keeper ends the run without being told. */
	readonly seconds: number;
	/** Between SIGTERM and SIGKILL, in milliseconds. */
	readonly graceMs: number;
	/** Resolves when the run is in the store: whoever comes after this process has to know that there was one. The script begins then. */
	readonly recorded: Promise<void>;
	/** Stops the run. */
	readonly signal: AbortSignal;
	/** Opens the door of the run in its directory, which is there. */
	readonly openDoor: (directory: string) => Promise<ScriptDoor>;
	/** Takes what the script prints; false when nothing more is taken. */
	readonly print: (source: "stdout" | "stderr", text: string) => boolean;
	/** From when it is called nothing of the run takes effect. Closes its door. */
	readonly close: () => Promise<void>;
}

/** How long the last of its output is waited for when everything of a run was ended, in milliseconds. */
const lastOutputMs = 2_000;
/** A host on which nothing of a run has ended in this time after SIGKILL hangs: the run does not wait for it. In milliseconds. */
const unheardMs = 10_000;

/**
 * Runs a script on a host, and resolves with its exit code when nothing of it is left there: no process and no directory. Rejects with SshError, or what opening
 * the door rejects with; then the same is true as far as the host can be reached.
 */
export async function runRemotely(plan: RemoteRunPlan): Promise<number> {
	const { connection, keeper, close } = plan;
	// The login shell starts while the directory is made and the door opened.
	const starting = connection.exec(startCommand);
	// Its program is read and waits by then, too.
	starting.then(
		({ stdin }) => stdin.write(`${launcher}\n`),
		() => undefined,
	);
	let end = async (): Promise<boolean> => true;
	try {
		const run = await keeper.open(sdkName(plan.script.language), plan.seconds);
		let ending: Promise<boolean> | undefined;
		end = () => {
			ending ??= keeper.end(run);
			return ending;
		};
		const door = await plan.openDoor(run.directory);
		const session = await starting;
		await plan.recorded;
		return await conduct(plan, { ...run, end }, door, session);
	} finally {
		await Promise.all([
			close(),
			end(),
			// Its shell waits for what it is to run.
			starting.then(
				(session) => session.close(),
				() => undefined,
			),
		]);
	}
}

/** A run on its host, and what ends all of it, once. */
interface HeldRun extends KeptRun {
	readonly end: () => Promise<boolean>;
}

async function conduct(plan: RemoteRunPlan, run: HeldRun, door: ScriptDoor, session: RemoteSession): Promise<number> {
	const { host, keeper, script, print } = plan;
	const nonce = randomBytes(16).toString("hex");
	const { environment, files, ...launch } = describeLaunch(script, run.directory);
	session.stdin.end(
		encodeLaunch({
			...launch,
			nonce,
			directory: run.directory,
			environment: { ...environment, ...door.environment, ...markOf(keeper, run) },
			files: new Map([...files, ...Object.entries(door.files ?? {})]),
		}),
	);
	const stdout = new NonceFilter(nonce);
	const stderr = new NonceFilter(nonce);
	const printing = Promise.all([
		readBehind(
			session.stdout,
			stdout,
			() => undefined,
			(text) => stdout.line !== "begun" || print("stdout", text),
		),
		readBehind(
			session.stderr,
			stderr,
			() => undefined,
			(text) => print("stderr", text),
		),
	]);
	const exit = await untilExit(plan, run, session);
	// What it has started may hold its output open.
	const [, isEnded] = await Promise.all([plan.close(), run.end()]);
	await within(printing, lastOutputMs);
	// Without its keeper a script may have ended well, and left whatever it likes: that is for the next keeper to remove.
	if (!isEnded || (exit.exitCode === undefined && exit.signal === undefined)) throw await lostConnection(plan);
	if (stdout.line !== "begun") throw new SshError("host-unsuitable", describeRefusal(host, stdout, stderr, exit));
	return exitCodeOf(exit);
}

/** The end of the script, which is brought about when the signal aborts. */
async function untilExit(plan: RemoteRunPlan, run: HeldRun, session: RemoteSession): Promise<RemoteExit> {
	const { host, connection, keeper, signal, graceMs, close } = plan;
	const { promise: failed, reject } = Promise.withResolvers<never>();
	let timer: NodeJS.Timeout | undefined;
	const stop = (): void => {
		void close();
		keeper.signal(run, "TERM");
		timer = setTimeout(() => {
			void run.end();
			const unheard = `${describeHost(host)} does not say that the script has ended.`;
			timer = setTimeout(() => reject(new SshError("host-connection-lost", unheard)), unheardMs);
		}, graceMs);
	};
	const onLost = (): void => reject(keeper.lost.reason);
	signal.addEventListener("abort", stop, { once: true });
	keeper.lost.addEventListener("abort", onLost, { once: true });
	if (signal.aborted) stop();
	if (keeper.lost.aborted) onLost();
	try {
		const closed = connection.closed.then(() => ({ exitCode: undefined, signal: undefined }));
		return await Promise.race([session.exited, closed, failed]);
	} finally {
		clearTimeout(timer);
		signal.removeEventListener("abort", stop);
		keeper.lost.removeEventListener("abort", onLost);
	}
}

/** By what everything that the run starts is known on its host (keeper-program.ts). */
const markOf = ({ directory }: Keeper, { name }: KeptRun): Readonly<Record<string, string>> => ({
	[runMark]: `${posix.basename(directory)}/${name}`,
});

/** As a shell has it. A signal that this system does not know is one of the last. */
function exitCodeOf({ exitCode, signal }: RemoteExit): number {
	if (exitCode !== undefined) return exitCode;
	return 128 + (constants.signals[`SIG${signal}` as NodeJS.Signals] ?? constants.signals.SIGKILL);
}

async function lostConnection({ host, connection, keeper }: RemoteRunPlan): Promise<SshError> {
	const cause = await within(connection.closed, unheardMs);
	if (cause instanceof SshError) return cause;
	if (keeper.lost.aborted) return keeper.lost.reason as SshError;
	return new SshError("host-connection-lost", `${describeHost(host)} has ended the session of the script.`);
}

/** Why the script was not begun. */
function describeRefusal(host: SshHost, { line, noise }: NonceFilter, errors: NonceFilter, exit: RemoteExit): string {
	const described = describeHost(host);
	const [kind, text] = /^(\w+) (.*)$/s.exec(line ?? "")?.slice(1) ?? [];
	if (kind === "missing")
		return `${described} has no ${(text as string).split(" ").join(" and no ")} on the PATH of the account, which the script needs; \`cronium hosts test ${host.name}\` shows what there is.`;
	if (line === "unusable")
		return `${described} cannot take the files of the run: ${excerpt(errors.noise, 300)}. Its disk may be full.`;
	const said = [noise, errors.noise].filter((one) => one !== "").join(" / ");
	const heard = said === "" ? "" : ` It said: ${excerpt(said, 300)}.`;
	return `${described} did not begin the script; its shell has ended with ${exit.signal ?? exit.exitCode}.${heard}`;
}
