import { type Command, type CommandLine, exitCodes, requireOperands } from "./command.ts";
import { endRequested, forceOnSecondSignal } from "./end-signals.ts";
import { readServeSettings, serveOptions } from "./serve-settings.ts";
import { printError } from "./terminal.ts";

export const command: Command = {
	name: "cronium serve",
	operands: "",
	summary: "Serves the runtime API, for scripts, and the control API, for orchestrators.",
	details: `Options come from the configuration file, from the environment (CRONIUM_LISTEN for --listen, CRONIUM_LIMITS=NAME=VALUE,… for --limit), and from
the command line; the later ones win. Addresses beyond loopback need TLS. One process serves a data directory at a time. SIGTERM and SIGINT end it: no
new runs, those under way have the time of --drain; a second signal ends it at once.`,
	options: serveOptions,
	examples: [
		"cronium serve",
		"cronium serve --data ./data --listen 127.0.0.1:8080 --limit maxWorkers=4",
		"cronium serve --tls-names cronium.example.com --listen 0.0.0.0:8443",
		"cronium serve --config cronium.toml --tls-cert cert.pem --tls-key key.pem --listen 0.0.0.0:8443",
	],
	run,
};

async function run(line: CommandLine): Promise<number> {
	requireOperands(line);
	const options = readServeSettings(line, process.env);
	const { serve } = await import("../serve.ts");
	const server = await serve(options);
	printError(`runtime API on ${server.url}`);
	if (server.scriptUrl) printError(`scripts on SSH hosts reach it by ${server.scriptUrl}`);
	if (server.sidecarUrl) printError(`sidecar processes on ${server.sidecarUrl}`);
	if (server.agentUrl) printError(`agents on ${server.agentUrl}`);
	printError(`control API on ${server.controlUrl}, with the credential in ${server.operatorTokenFile}`);
	await endRequested();
	printError("ending");
	const cut = forceOnSecondSignal();
	await server.close();
	cut();
	return exitCodes.succeeded;
}
