import { type Command, exitCodes, readCommandLine, UsageError } from "./command.ts";
import { drain, print, printError, tolerateClosedPipes } from "./terminal.ts";

/**
 * Does what a command line asks for and sets the process's exit code. The process then ends by itself, when nothing is left to do: `process.exit` waits for
 * Node's compiler threads, which may wait for the heap of the thread that called it (nodejs/node#54918), and once in some hundred runs hangs for ever.
 */
export async function runProgram(dispatch: () => Promise<number>): Promise<void> {
	tolerateClosedPipes();
	// Nothing left to wait for and no answer: without this the process would end as if all were well.
	const unanswered = (): void => {
		printError("The host stopped without an answer.");
		process.exitCode = exitCodes.hostFailure;
	};
	process.once("beforeExit", unanswered);
	let exitCode: number;
	try {
		exitCode = await dispatch();
	} catch (cause) {
		exitCode = report(cause);
	}
	await drain();
	process.off("beforeExit", unanswered);
	if (exitCode !== exitCodes.succeeded) process.exitCode = exitCode;
	// What was left open (a pipe that somebody else holds, say) must not keep the process.
	setTimeout(() => process.exit(), lingerMs).unref();
}

const lingerMs = 1_000;

/** Runs a command, or prints its help when that is asked for. */
export async function runCommand(command: Command, argv: readonly string[]): Promise<number> {
	const end = argv.indexOf("--");
	const options = end < 0 ? argv : argv.slice(0, end);
	if (options.includes("--help") || options.includes("-h")) {
		const { describeCommand } = await import("./help.ts");
		print(describeCommand(command));
		return exitCodes.succeeded;
	}
	return await command.run(readCommandLine(command, argv));
}

/** One line for whatever went wrong, and the exit code for it. */
function report(cause: unknown): number {
	if (cause instanceof UsageError) {
		printError(`${cause.message} Try --help.`);
		return exitCodes.usage;
	}
	const error = cause instanceof Error ? cause : new Error(String(cause));
	printError(error.message === "" ? error.name : error.message);
	const { code } = error as { code?: unknown };
	if (error.name !== "RuntimeError") return exitCodes.hostFailure;
	if (code === "invalid" || code === "too-large") return exitCodes.usage;
	return code === "not-found" || code === "conflict" ? exitCodes.failed : exitCodes.hostFailure;
}
