import type { BoundOperation, BoundPlace } from "./bind.ts";
import type { Contract, Type } from "./contract.ts";
import { snakeCase } from "./emit-sdk-python.ts";
import { camelCase } from "./names.ts";

const version = "0.1.0";

/** What is written by hand of the one file: its parts, in their order. */
export interface BashParts {
	readonly json: string;
	readonly transport: string;
	readonly stub: string;
}

/** `guest-sdks/bash/cronium.sh`: the parts that are written by hand, and the functions of the contract. */
export function emitBash(contract: Contract, operations: readonly BoundOperation[], parts: BashParts): string {
	const codes = contract.errors.map(({ name }) => name).join(" ");
	return `# shellcheck shell=bash disable=SC2034
# Generated from wit/ and guest-sdks/bash/src by "npm run generate". Do not edit.
#
# The helpers of a Cronium script: input, output, variables, condition, event and log, wherever the script runs. Bash 4.4 or later, and curl.
#
#   source cronium.sh
#   orders=$(cronium_get_input)
#   cronium_set_variable seen 3

if [[ -z \${BASH_VERSION-} ]] || ((BASH_VERSINFO[0] * 100 + BASH_VERSINFO[1] < 404)); then
	echo "cronium: unsupported: this file needs Bash 4.4 or later." >&2
	return 22 2>/dev/null || exit 22
fi

${parts.json}
${parts.transport.replace("@ERROR_CODES@", codes).replace("@VERSION@", version)}
${parts.stub}
# --- The functions of the contract -----------------------------------------------------------------------------------------------------------

${operations.map(emitFunction).join("\n")}
# Writes a line to the log of the run: cronium_log_info MESSAGE [FIELDS]
cronium_log_debug() { cronium_write_log debug "$@"; }
cronium_log_info() { cronium_write_log info "$@"; }
cronium_log_warn() { cronium_write_log warn "$@"; }
cronium_log_error() { cronium_write_log error "$@"; }

_cronium_origin=
_cronium_aside _cronium_open_memory
`;
}

function emitFunction(one: BoundOperation): string {
	const name = snakeCase(one.sdkName);
	const usage = [...one.places.map(usageOf), ...(isValue(one) ? ["[--required] [--text]"] : [])].join(" ");
	const documentation = [
		...one.documentation.replaceAll("or `null`", "or null").split("\n"),
		"",
		`Usage: cronium_${name} ${usage}`,
	];
	const head = [name, usage, one.http.method, one.http.path, one.effect ? "effect" : "", returns(one)].map(quote).join(" ");
	const specs = one.places.map((place) => ` \\\n\t\t${quote(specOf(place))}`).join("");
	return `${documentation.map((line) => `# ${line}`.trimEnd()).join("\n")}
cronium_${name}() {
	_cronium_perform ${head}${specs} \\
		-- "$@"
}
`;
}

/** Whether what it returns is a value of the script's own, or may be missing. */
const isValue = ({ resultKind }: BoundOperation): boolean => resultKind === "json" || resultKind === "entry";

/** A version is not a JSON text in Bash. */
function returns({ resultKind, result }: BoundOperation): string {
	return resultKind === "plain" && result && isText(result) ? "text" : resultKind;
}

/** The name (`!` before one that is required, `--` before an option), the place, the name on the wire, and the form. */
function specOf(place: BoundPlace): string {
	const { in: where, name, parameter, field } = place;
	const own = optionName(place);
	return [field ? `--${own}` : parameter.required ? `!${own}` : own, where, name ?? "-", formOf(place)].join(" ");
}

function usageOf(place: BoundPlace): string {
	const own = optionName(place);
	if (place.field) return formOf(place) === "star" ? `[--${own}]` : `[--${own} ${formOf(place)}]`;
	return place.parameter.required ? own.toUpperCase() : `[${own.toUpperCase()}]`;
}

const optionName = ({ field, parameter }: BoundPlace): string =>
	snakeCase(camelCase(field?.name ?? parameter.name)).replaceAll("_", "-");

function formOf({ as, in: where, parameter, field }: BoundPlace): string {
	if (as === "etag" || as === "star") return as;
	if (parameter.kind === "json") return parameter.name === "fields" ? "object" : "json";
	const type = field?.type ?? parameter.type;
	if (isBoolean(type)) return "boolean";
	if (isText(type)) return where === "body" ? "string" : "text";
	return "number";
}

function isText(type: Type): boolean {
	if (type.kind === "option") return isText(type.of);
	if (type.kind === "primitive") return type.name === "string";
	return (
		type.kind === "named" && (type.definition.kind === "alias" ? isText(type.definition.type) : type.definition.kind === "enum")
	);
}

function isBoolean(type: Type): boolean {
	if (type.kind === "option") return isBoolean(type.of);
	return type.kind === "primitive" && type.name === "bool";
}

const quote = (text: string): string => `'${text}'`;
