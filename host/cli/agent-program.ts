import { command } from "./agent.ts";
import { runCommand, runProgram } from "./program.ts";

// `cronium agent` alone, for hosts where nothing of Cronium is installed: `node agent.js --state DIR`.
void runProgram(() => runCommand(command, process.argv.slice(2)));
