import { randomBytes } from "node:crypto";
import { posix } from "node:path";
import type { Writable } from "node:stream";
import { setTimeout as sleep } from "node:timers/promises";
import { excerpt } from "../../contract/excerpt.ts";
import { within } from "../../within.ts";
import { keeperProgram } from "./keeper-program.ts";
import { loadSdk, runDirectories, type SdkName } from "./remote-script.ts";
import { ddStatistics, NonceFilter, readBehind } from "./session-output.ts";
import { encodeFiles, startCommand } from "./shell-program.ts";
import type { RemoteSession, SshConnection } from "./ssh-connection.ts";
import { describeHost, SshError } from "./ssh-error.ts";
import type { SshHost } from "./ssh-host.ts";

export interface KeeperPlan {
	readonly host: SshHost;
	/** The directory that the connection gets. */
	readonly name: string;
	/** How the directories of all hosts of this data directory begin. */
	readonly family: string;
	/** So long without a sign of this process, and the keeper ends all runs of the connection. */
	readonly silenceMs: number;
	/** Of directories that are there on the host those that nobody uses any more. */
	readonly findLeftBehind: (paths: readonly string[]) => Promise<readonly string[]>;
}

/** A machine that is busy takes seconds for what takes none. In milliseconds. */
const answerTimeoutMs = 30_000;
/** A keeper whose input has ended has so long to remove its directory. */
const endTimeoutMs = 3_000;
/** How often it is told that this process lives, at most. */
const maxBeatMs = 5_000;
/** One that takes long, because much has to be removed, holds up no other. */
const maxEndsUnderWay = 2;
/** A complaint comes on another stream than the answer. In milliseconds. */
const complaintMs = 50;
const maxComplaintCharacters = 300;
/** No answer of a keeper is longer. */
const maxAnswerCharacters = 8 * 1024;
/** Directories that are swept with one connection; what is more is swept with the next one. */
const maxSwept = 1_000;
/** An absolute path that can be an entry of a list of paths, and has nothing that a terminal obeys. */
const usablePath = /^\/[^\p{Cc}:]{0,1023}$/u;

/** The host's side of a keeper (keeper-program.ts): what owns the runs of one connection on their host. */
export class Keeper implements AsyncDisposable {
	/** Of the connection; the runs' are in it. */
	readonly directory: string;
	/** Aborted when it has gone, other than by being disposed of: nobody watches over the runs of the connection any more. */
	readonly lost: AbortSignal;
	/** Resolves when what dead hosts have left is removed. */
	readonly swept: Promise<void>;
	readonly #session: RemoteSession;
	readonly #host: SshHost;
	readonly #nonce: string;
	readonly #answers: Answers;
	/** Those that the host has. */
	readonly #sdks = new Set<SdkName>();
	readonly #supplies = new Map<SdkName, Supply>();
	readonly #beat: NodeJS.Timeout;
	/** Runs that are to be ended, and have not been said to the host. */
	readonly #ending: { readonly name: string; readonly ended: Promise<unknown> }[] = [];
	#endsUnderWay = 0;
	#isDisposed = false;

	private constructor(session: RemoteSession, plan: KeeperPlan, nonce: string, directory: string, answers: Answers) {
		const lost = new AbortController();
		this.directory = directory;
		this.lost = lost.signal;
		this.#session = session;
		this.#host = plan.host;
		this.#nonce = nonce;
		this.#answers = answers;
		this.#beat = setInterval(() => this.#tell("beat"), Math.min(maxBeatMs, plan.silenceMs / 4)).unref();
		void answers.ended.then(() => {
			clearInterval(this.#beat);
			if (!this.#isDisposed) lost.abort(this.#gone());
		});
		this.swept = this.#sweep(plan);
		this.swept.catch(() => undefined);
	}

	/** Starts a keeper on a connection. Rejects with SshError when the host has no place for runs. */
	static async start(connection: SshConnection, plan: KeeperPlan): Promise<Keeper> {
		const { host, name, family, silenceMs } = plan;
		const nonce = randomBytes(16).toString("hex");
		const session = await connection.exec(startCommand);
		const answers = new Answers(session, nonce);
		const ready = answers.expect("ready");
		const settings = [nonce, host.directory ?? "", name, family, Math.ceil(silenceMs / 1_000)];
		session.stdin.write(`${[keeperProgram, ...settings].join("\n")}\n`);
		const directory = (await within(ready, answerTimeoutMs))?.slice("ready ".length);
		if (directory !== undefined && usablePath.test(directory)) return new Keeper(session, plan, nonce, directory, answers);
		session.close();
		throw new SshError("host-unsuitable", `${describeHost(host)} ${answers.describeRefusal(directory)}`);
	}

	/** A directory for a run that has so many seconds from now on. Rejects with SshError when it cannot be made. */
	async open(sdk: SdkName, seconds: number): Promise<KeptRun> {
		const supply = this.#supplyOf(sdk);
		supply.underWay += 1;
		supply.most = Math.max(supply.most, supply.underWay);
		const [spare] = supply.spares;
		if (spare) supply.spares.delete(spare);
		let run: KeptRun;
		try {
			run = await (spare ?? this.#make(sdk));
		} catch (cause) {
			supply.underWay -= 1;
			throw cause;
		}
		this.#tell(`watch ${run.name} ${seconds}`);
		return run;
	}

	/** Sends a signal to the process group of a run. */
	signal({ name }: KeptRun, signal: "TERM" | "KILL"): void {
		this.#tell(`signal ${name} ${signal}`);
	}

	/** Kills what there is of a run, and removes its directory. False when the keeper has gone or does not say so: what is left is then removed with a later connection. */
	async end({ name, sdk }: KeptRun): Promise<boolean> {
		const ended = this.#answers.expect(`ended ${name}`);
		this.#ending.push({ name, ended });
		this.#tellEnds();
		const answer = await within(ended, answerTimeoutMs);
		const supply = this.#supplyOf(sdk);
		supply.underWay -= 1;
		if (supply.underWay === 0) {
			if (answer !== undefined && !this.#isDisposed) this.#fill(sdk, supply);
			supply.most = 0;
		}
		return answer !== undefined;
	}

	async [Symbol.asyncDispose](): Promise<void> {
		this.#isDisposed = true;
		this.#session.stdin.end();
		await within(this.#session.ended, endTimeoutMs);
		this.#session.close();
	}

	async #sweep({ findLeftBehind }: KeeperPlan): Promise<void> {
		const { left } = this.#answers;
		if (left.length === 0) return;
		for (const path of await findLeftBehind(left)) {
			const answer = this.#answers.expect(`swept ${path}`);
			this.#tell(`sweep ${path}`);
			if ((await within(answer, answerTimeoutMs)) === undefined) return;
		}
	}

	/** Runs that end while the host is busy with the end of others are ended together: it looks at all of its processes for each time. */
	#tellEnds(): void {
		if (this.#ending.length === 0 || this.#endsUnderWay >= maxEndsUnderWay) return;
		const batch = this.#ending.splice(0);
		this.#endsUnderWay += 1;
		this.#tell(`end ${batch.map(({ name }) => name).join(" ")}`);
		void within(Promise.all(batch.map(({ ended }) => ended)), answerTimeoutMs).then(() => {
			this.#endsUnderWay -= 1;
			this.#tellEnds();
		});
	}

	/** Makes directories for as many runs as there were at one time: the next ones do not wait for them. */
	#fill(sdk: SdkName, { spares, most }: Supply): void {
		while (spares.size < most) {
			const spare = this.#make(sdk);
			spares.add(spare);
			// Whoever needs one is told by its own attempt.
			spare.catch(() => spares.delete(spare));
		}
	}

	#supplyOf(sdk: SdkName): Supply {
		let supply = this.#supplies.get(sdk);
		if (!supply) {
			supply = { spares: new Set(), underWay: 0, most: 0 };
			this.#supplies.set(sdk, supply);
		}
		return supply;
	}

	async #make(sdk: SdkName): Promise<KeptRun> {
		const name = randomBytes(6).toString("hex");
		if (!this.#sdks.has(sdk)) {
			const files = await loadSdk(sdk);
			// Several runs may have waited for it.
			if (!this.#sdks.has(sdk)) {
				this.#sdks.add(sdk);
				this.#tell(`sdk ${sdk}`, encodeFiles(files, { empty: runDirectories }), Buffer.from(`\n${this.#nonce}\n`));
			}
		}
		const answered = this.#answers.expect(`made ${name}`, `failed ${name}`);
		this.#tell(`make ${sdk} ${name}`);
		const answer = await within(answered, answerTimeoutMs);
		if (answer === `made ${name}`) return { name, sdk, directory: posix.join(this.directory, name) };
		if (this.#answers.hasEnded) throw this.#gone();
		// Its SDK may not have found room, and is sent again.
		this.#sdks.delete(sdk);
		const reason = answer === undefined ? `it has not answered within ${answerTimeoutMs} ms` : await this.#answers.complaint();
		throw new SshError(
			"host-unsuitable",
			`${describeHost(this.#host)} cannot make a directory for a run in ${this.directory}: ${reason}.`,
		);
	}

	#tell(line: string, ...bytes: readonly Buffer[]): void {
		const stdin: Writable = this.#session.stdin;
		if (stdin.writable) stdin.write(Buffer.concat([Buffer.from(`${line}\n`), ...bytes]));
	}

	#gone(): SshError {
		return new SshError(
			"host-connection-lost",
			`What watches over the runs of this connection on ${describeHost(this.#host)} was ended; it is a process of the account, which the script, or somebody else of the account, can kill.`,
		);
	}
}

/** What a keeper has for runs with one SDK. */
interface Supply {
	/** Directories that were made ahead of their runs, when none was under way. */
	readonly spares: Set<Promise<KeptRun>>;
	underWay: number;
	/** How many were under way at one time since none was. */
	most: number;
}

/** A run in the hands of a keeper. */
export interface KeptRun {
	readonly name: string;
	/** What is in its directory. */
	readonly sdk: SdkName;
	/** Made, and nobody else's. */
	readonly directory: string;
}

/** What a keeper says: a line each, the first words of which somebody expects. */
class Answers {
	/** Directories of this data directory's hosts that were there before. */
	readonly left: string[] = [];
	/** Resolves when the keeper has gone. */
	readonly ended: Promise<void>;
	hasEnded = false;
	readonly #expected = new Map<string, (answer: string | undefined) => void>();
	readonly #output: NonceFilter;
	readonly #errors: NonceFilter;
	#partial = "";
	#complaint = "";
	#refusal: string | undefined;

	constructor({ stdout, stderr }: RemoteSession, nonce: string) {
		this.#output = new NonceFilter(nonce);
		this.#errors = new NonceFilter(nonce);
		const reading = [
			readBehind(
				stdout,
				this.#output,
				() => undefined,
				(text) => this.#take(text),
			),
			readBehind(
				stderr,
				this.#errors,
				() => undefined,
				(text) => {
					this.#complaint = (this.#complaint + text.replaceAll(ddStatistics, "")).slice(-maxComplaintCharacters);
					return true;
				},
			),
		];
		this.ended = Promise.all(reading).then(() => {
			this.hasEnded = true;
			for (const resolve of [...this.#expected.values()]) resolve(undefined);
		});
	}

	/** The first line that begins with one of these; undefined when none comes any more. */
	expect(...beginnings: readonly string[]): Promise<string | undefined> {
		return new Promise((resolve) => {
			if (this.hasEnded) return resolve(undefined);
			const settle = (answer: string | undefined): void => {
				for (const beginning of beginnings) this.#expected.delete(beginning);
				resolve(answer);
			};
			for (const beginning of beginnings) this.#expected.set(beginning, settle);
		});
	}

	/** What the host says of a failure, which may come a moment after it. */
	async complaint(): Promise<string> {
		await sleep(complaintMs);
		return this.#complaint === "" ? "it does not say why" : excerpt(this.#complaint.trim(), maxComplaintCharacters);
	}

	/** Why there is no keeper. */
	describeRefusal(directory: string | undefined): string {
		if (directory !== undefined)
			return `has a directory for runs whose path is not absolute, is longer than 1,024 characters, or has a colon or a control character: ${excerpt(directory, 300)}.`;
		if (this.#refusal !== undefined)
			return `has no directory for runs that can be made and written to: ${excerpt(this.#refusal, maxComplaintCharacters)}.`;
		const said = [this.#output.noise, this.#errors.noise].filter((text) => text !== "").join(" / ");
		const heard = said === "" ? "" : ` It said: ${excerpt(said, maxComplaintCharacters)}.`;
		return `does not run commands of the account with a POSIX shell (/bin/sh), or has not within ${answerTimeoutMs} ms.${heard}`;
	}

	#take(text: string): boolean {
		const lines = (this.#partial + text).split("\n");
		this.#partial = (lines.pop() as string).slice(0, maxAnswerCharacters);
		for (const line of lines) this.#hear(line);
		return true;
	}

	#hear(line: string): void {
		if (line.startsWith("left ")) {
			if (this.left.length < maxSwept) this.left.push(line.slice("left ".length));
		} else if (line.startsWith("unusable ")) this.#refusal = line.slice("unusable ".length);
		else
			for (const [beginning, resolve] of this.#expected)
				if (line === beginning || line.startsWith(`${beginning} `)) {
					resolve(line);
					return;
				}
	}
}
