import { command } from "./agent.ts";
import { runCommand, runProgram } from "./program.ts";

/** With heaps of its own choice Node takes up to 180 MB while scripts are busy, and gives it back late. */
const smallHeaps = ["--max-semi-space-size=1", "--max-old-space-size=64"];

// `cronium agent` alone, for hosts where nothing of Cronium is installed: `node agent.js --state DIR`. Options of heaps count only for a process that begins with them: this one
// becomes that, where Node can do it (from 22.15) and nobody has said otherwise.
if (process.execve && !process.execArgv.some((option) => option.startsWith("--max-"))) {
	const [program = process.execPath, ...given] = process.argv;
	process.execve(program, [program, ...smallHeaps, ...process.execArgv, ...given]);
}
void runProgram(() => runCommand(command, process.argv.slice(2)));
