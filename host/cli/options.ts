import type { Host, HostOptions } from "../index.ts";
import type { CommandLine, CommandOption } from "./command.ts";
import { resolveDataDirectory } from "./data-directory.ts";

export const dataOption: CommandOption = {
	name: "data",
	value: "DIR",
	description: "The data directory; the user's own when not given (see CRONIUM_DATA).",
};
export const namespaceOption: CommandOption = {
	name: "namespace",
	value: "NAME",
	description: "The owner of the variables; default when not given.",
};
export const jsonOption = (description: string): CommandOption => ({ name: "json", description });

export const containerEngineOption: CommandOption = {
	name: "container-engine",
	value: "ADDRESS",
	description:
		"The container engine: unix:///PATH or tcp://HOST:PORT. CRONIUM_CONTAINER_ENGINE, DOCKER_HOST or a usual socket when not given.",
};

/** Of everything that runs containers. */
export const containerOptions: readonly CommandOption[] = [
	containerEngineOption,
	{
		name: "container-allow",
		value: "GUARANTEE",
		repeats: true,
		description: "Run although the engine cannot keep this guarantee of cronium doctor.",
	},
];

/** Opens the data directory that the command line names, to run no scripts unless the options say otherwise. The host's modules are loaded only now. */
export async function openHost(line: CommandLine, options: Omit<HostOptions, "dataDirectory"> = {}): Promise<Host> {
	const dataDirectory = resolveDataDirectory(line.value("data"));
	const { createHost } = await import("../index.ts");
	return createHost({ dataDirectory, warm: false, ...options });
}
