// biome-ignore-all lint/suspicious/noTemplateCurlyInString: they are expansions of the shell.
import { operations } from "../../../host/contract/generated/operations.ts";
import { errorCodes } from "../../../host/contract/generated/types.ts";
import type { StepResult } from "../conformance-case.ts";
import type { GuestCall } from "../guest-step.ts";

interface Ended {
	readonly status: number;
	readonly stdout: string;
	readonly stderr: string;
	readonly currentVersion: string;
	readonly limit: string;
}

const snakeCase = (name: string): string => name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
const quote = (text: string): string => `'${text.replaceAll("'", "'\\''")}'`;
const output = '"$cronium_test_directory/lane-$lane"';

/** The command that performs the call. */
export function bashCall(call: GuestCall): string {
	const command = [`cronium_${snakeCase(call.name)}`, ...call.arguments.flatMap(toWords)].join(" ");
	if (call.lanes === undefined) return command;
	// A subshell for each lane.
	const lane = `for ((time = 0; time < ${call.times}; time++)); do ${command} || exit; echo; done >${output}`;
	const lanes = `for ((lane = 0; lane < ${call.lanes}; lane++)); do`;
	return [
		"lanes=()",
		`${lanes} ( ${lane} ) & lanes+=("$!"); done`,
		'for id in "${lanes[@]}"; do wait "$id" || return; done',
		`${lanes} cat ${output}; done`,
	].join("\n");
}

/** Options are flags in Bash. */
function toWords(given: unknown): string[] {
	if (given === null) return [];
	if (typeof given !== "object") return [quote(String(given))];
	if ("$json" in given) return [quote(given.$json as string)];
	return Object.entries(given).flatMap(([name, value]) => {
		const flag = `--${snakeCase(name).replaceAll("_", "-")}`;
		return value === true ? [flag] : [flag, quote(String(value))];
	});
}

/** Only these settings of the SDK. */
export function bashEnvironment(environment: Readonly<Record<string, string>>): string {
	const exports = Object.entries(environment).map(([name, value]) => `export ${name}=${quote(value)}`);
	return ['unset "${!CRONIUM_@}"', ...exports].join("\n");
}

/** What the call printed, as the other SDKs return it. */
export function readBashResult(call: GuestCall, { status, stdout, stderr, currentVersion, limit }: Ended): StepResult {
	if (status === 0)
		return { text: call.lanes === undefined ? toText(call.name, stdout) : `[${stdout.trim().split(/\s+/).join(",")}]` };
	const [, code = "no code", message = stderr] = /cronium: ([a-z-]+): (.*)\n$/s.exec(stderr) ?? [];
	const expected = status === 2 ? "invalid" : errorCodes[status - 10];
	return {
		error: {
			code: code === expected ? code : `${code}, but status ${status}`,
			message,
			...(limit !== "" && { limit }),
			...(currentVersion !== "" && { currentVersion }),
		},
	};
}

/** Nothing is none. A version is not a JSON text in Bash. */
function toText(name: string, printed: string): string {
	const stdout = printed.replace(/\n$/, "");
	const operation = operations.find(({ sdkName }) => sdkName === name);
	if (stdout === "" || operation?.result === "none") return "null";
	if (name === "setVariable") return JSON.stringify(stdout);
	return stdout;
}
