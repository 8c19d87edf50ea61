import type { BoundOperation, BoundPlace } from "./bind.ts";
import {
	type Contract,
	type ContractParameter,
	type Definition,
	type Field,
	isJson,
	type Structure,
	type Type,
} from "./contract.ts";
import { camelCase } from "./names.ts";
import { WitError } from "./syntax.ts";

const banner = '# Generated from wit/ by "npm run generate". Do not edit.\n';

/** `guest-sdks/python/cronium/_contract.py`: the records of the contract, and the table of its functions. */
export function emitPythonContract(contract: Contract, operations: readonly BoundOperation[]): string {
	const records = recordsOf(operations);
	return `${banner}"""What the contract says: its records, its errors, its functions and how they are reached over HTTP."""

from typing import Any, NamedTuple, Optional, Tuple

ERROR_CODES = (
${contract.errors.map(({ name }) => `    ${JSON.stringify(name)},\n`).join("")})

${records.map(record).join("\n")}

class VariableEntry(NamedTuple):
    """A value and what is known of it."""

    value: Any
    metadata: Metadata


${records.map(reader).join("\n\n")}

class Place(NamedTuple):
    """Where a parameter is in a request."""

    parameter: str
    where: str
    name: Optional[str]
    form: Optional[str]


class Operation(NamedTuple):
    """One function of the contract, and how it is reached over HTTP."""

    id: str
    name: str
    effect: bool
    method: str
    path: str
    places: Tuple[Place, ...]
    result: str
    read: Any


${operations.map(row).join("\n")}
OPERATIONS = (${operations.map(({ id }) => constantName(id)).join(", ")})
`;
}

/**
 * `host/sandbox/python/guest/_cronium_operations.py`: what the guest side of the sandbox needs to know of the operations besides what the SDK says. It is read when
 * the memory image is made, and not in a run.
 */
export function emitPythonGuestOperations(operations: readonly BoundOperation[]): string {
	const rows = operations.map((one) => {
		const parameters = one.places.map(({ parameter, field, required }) => {
			if (field && parameter !== one.parameters.at(-1))
				throw new WitError(
					one.position,
					`the guest of Python has no form yet for options that are not the last parameter (${one.id})`,
				);
			const name = snakeCase(camelCase(field?.name ?? parameter.name));
			return `        Parameter(${[name, ...(field ? ["option", camelCase(field.name)] : [parameter.kind, ""])].map((text) => JSON.stringify(text)).join(", ")}, ${required ? "True" : "False"}),\n`;
		});
		return `    ${JSON.stringify(one.id)}: (${parameters.length === 0 ? "" : `\n${parameters.join("")}    `}),\n`;
	});
	return `${banner}"""The operations in the order in which the host counts them, and how their parameters travel to it."""

from typing import NamedTuple


class Parameter(NamedTuple):
    """A parameter of a function of the SDK."""

    name: str
    kind: str
    """\`plain\`: a member of the array of parameters; \`option\`: a field of the object at its end; \`json\`: the body."""
    field: str
    """The name of an option as the contract has it."""
    required: bool


OPERATIONS = {
${rows.join("")}}
`;
}

/** `guest-sdks/python/cronium/_calls.py` and its twin for asyncio: the functions of the contract as methods of a client. */
export function emitPythonCalls(operations: readonly BoundOperation[], isAsync: boolean): string {
	const types = [
		...new Set(operations.flatMap(({ result, resultKind }) => (resultKind === "plain" && result ? recordName(result) : []))),
	];
	const asynchronous = isAsync ? "async " : "";
	const methods = operations.map((one) => {
		const parameters = ["self", ...parametersOf(one)];
		const given = `(${parameterNames(one)
			.map((name) => `${name}, `)
			.join("")
			.trimEnd()})`;
		return `    ${asynchronous}def ${snakeCase(one.sdkName)}(${parameters.join(", ")}) -> ${resultType(one)}:
${docstring(one.documentation, 2)}
        ${performed(one, `${isAsync ? "await " : ""}self._perform(_contract.${constantName(one.id)}, ${given})`)}
`;
	});
	return `${banner}"""The functions of the contract${isAsync ? ", as coroutines" : ""}."""

from typing import Any, ${isAsync ? "Awaitable, " : ""}Callable, Mapping, Optional, Tuple

from . import _contract
from ._contract import ${[...types, "VariableEntry"].sort().join(", ")}


class ${isAsync ? "AsyncCalls" : "Calls"}:
    """The helpers of one run. How a call is performed is up to the client."""

    _perform: Callable[[_contract.Operation, Tuple[Any, ...]], ${isAsync ? "Awaitable[Any]" : "Any"}]

${methods.join("\n")}`;
}

/** The statement that makes a call. What `_perform` returns has any type; type checkers want to be told which. */
function performed(one: BoundOperation, call: string): string {
	const type = resultType(one);
	if (type === "None") return call;
	return type === "Any" ? `return ${call}` : `result: ${type} = ${call}\n        return result`;
}

/** The functions of the module: those of a client that the environment connects. */
export function emitPythonFunctions(operations: readonly BoundOperation[], isAsync: boolean): string {
	const types = [
		...new Set(operations.flatMap(({ result, resultKind }) => (resultKind === "plain" && result ? recordName(result) : []))),
	];
	const functions = operations.map((one) => {
		const names = parameterNames(one);
		const keywords = one.places
			.filter(({ field }) => field !== undefined)
			.map(({ field }) => snakeCase(camelCase(field?.name ?? "")));
		const given = names.map((name) => (keywords.includes(name) ? `${name}=${name}` : name));
		return `${isAsync ? "async " : ""}def ${snakeCase(one.sdkName)}(${parametersOf(one).join(", ")}) -> ${resultType(one)}:
${docstring(one.documentation, 1)}
    ${one.resultKind === "none" ? "" : "return "}${isAsync ? "await " : ""}client().${snakeCase(one.sdkName)}(${given.join(", ")})
`;
	});
	return `${banner}"""The functions of the contract${isAsync ? ", as coroutines" : ""}, on a client that the environment connects."""

from typing import Any, Mapping, Optional

from ._contract import ${[...types, "VariableEntry"].sort().join(", ")}
from .${isAsync ? "_aio_client" : "_client"} import default_client as client

__all__ = [${operations.map(({ sdkName }) => JSON.stringify(snakeCase(sdkName))).join(", ")}]


${functions.join("\n\n")}`;
}

/** A record's fields are spread over keyword arguments. */
function parametersOf(one: BoundOperation): readonly string[] {
	const positional = one.parameters.filter((parameter) => !isSpread(one, parameter));
	const spread = one.places.filter(({ field }) => field !== undefined);
	return [
		...positional.map((parameter) =>
			parameter.required
				? `${snakeCase(camelCase(parameter.name))}: ${argumentType(parameter)}`
				: `${snakeCase(camelCase(parameter.name))}: Optional[${argumentType(parameter)}] = None`,
		),
		...(spread.length > 0 ? ["*"] : []),
		...spread.map(
			({ field }) => `${snakeCase(camelCase(field?.name ?? ""))}: Optional[${annotation(field?.type as Type)}] = None`,
		),
	];
}

/** In the order of the places. */
function parameterNames(one: BoundOperation): readonly string[] {
	return one.places.map(({ field, parameter }) => snakeCase(camelCase(field?.name ?? parameter.name)));
}

const isSpread = (one: BoundOperation, parameter: ContractParameter): boolean =>
	one.places.some((place) => place.parameter === parameter && place.field !== undefined);

function argumentType({ kind, type, name }: ContractParameter): string {
	if (kind !== "json") return annotation(type);
	return name === "fields" ? "Mapping[str, Any]" : "Any";
}

function resultType({ result, resultKind, optionalResult }: BoundOperation): string {
	if (!result || resultKind === "none") return "None";
	if (resultKind === "json") return "Any";
	const type = resultKind === "entry" ? "VariableEntry" : annotation(result);
	return optionalResult ? `Optional[${type}]` : type;
}

function annotation(type: Type): string {
	switch (type.kind) {
		case "primitive":
			return type.name === "string" ? "str" : type.name === "bool" ? "bool" : type.name.startsWith("f") ? "float" : "int";
		case "list":
			return `Tuple[${annotation(type.of)}, ...]`;
		case "option":
			return `Optional[${annotation(type.of)}]`;
		case "named":
			if (type.definition.kind === "record") return type.definition.typeName;
			return type.definition.kind === "alias" ? annotation(type.definition.type) : "str";
	}
}

function record(one: Structure): string {
	// What may be missing has a default, so it comes last.
	const fields = orderedFields(one).map(({ name, type, optional, documentation }) => {
		const text = optional ? `Optional[${annotation(type)}] = None` : annotation(type);
		return `    ${snakeCase(camelCase(name))}: ${text}\n    """${documentation.replaceAll("\n", "\n    ")}"""\n`;
	});
	return `\nclass ${one.typeName}(NamedTuple):\n    """${one.documentation.replaceAll("\n", "\n    ")}"""\n\n${fields.join("\n")}`;
}

function reader(one: Structure): string {
	const fields = orderedFields(one).map(({ name, type, optional }) => {
		const key = JSON.stringify(camelCase(name));
		const value = optional ? `given.get(${key})` : `given[${key}]`;
		return `        ${readValue(type, value, optional)},\n`;
	});
	return `def read_${snakeCase(camelCase(one.name))}(given: Any) -> ${one.typeName}:\n    return ${one.typeName}(\n${fields.join("")}    )\n`;
}

function readValue(type: Type, value: string, optional: boolean): string {
	if (type.kind === "list") return `tuple(${readValue(type.of, "one", false)} for one in ${value})`;
	if (type.kind !== "named" || type.definition.kind !== "record") return value;
	const read = `read_${snakeCase(camelCase(type.definition.name))}(${value})`;
	return optional ? `None if ${value} is None else ${read}` : read;
}

const orderedFields = ({ fields }: Structure): readonly Field[] => [
	...fields.filter(({ optional }) => !optional),
	...fields.filter(({ optional }) => optional),
];

function row(one: BoundOperation): string {
	const { method, path } = one.http;
	const read =
		one.resultKind === "plain" && one.result && recordName(one.result)[0]
			? `read_${snakeCase(recordName(one.result)[0] as string)}`
			: "None";
	return `${constantName(one.id)} = Operation(
    ${[one.id, snakeCase(one.sdkName)].map((text) => JSON.stringify(text)).join(",\n    ")},
    ${one.effect ? "True" : "False"},
    ${JSON.stringify(method)},
    ${JSON.stringify(path)},
    (${one.places
			.map((place) => `${placeText(place)}, `)
			.join("")
			.trimEnd()}),
    ${JSON.stringify(one.resultKind)},
    ${read},
)`;
}

function placeText({ parameter, field, in: where, name, as }: BoundPlace): string {
	const text = (value: string | undefined): string => (value === undefined ? "None" : JSON.stringify(value));
	return `Place(${text(snakeCase(camelCase(field?.name ?? parameter.name)))}, ${text(where)}, ${text(name)}, ${text(as)})`;
}

const recordName = (type: Type): string[] =>
	type.kind === "named" && type.definition.kind === "record" ? [type.definition.typeName] : [];

/** What operations return, and what that is made of; options are keyword arguments. What is used comes first. */
function recordsOf(operations: readonly BoundOperation[]): readonly Structure[] {
	const used = new Set<Definition>();
	const visit = (type: Type): void => {
		if (type.kind === "list" || type.kind === "option") visit(type.of);
		if (type.kind !== "named" || isJson(type) || type.definition.kind !== "record" || used.has(type.definition)) return;
		for (const field of type.definition.fields) visit(field.type);
		used.add(type.definition);
	};
	for (const { result, resultKind } of operations) {
		if (!result) continue;
		if (resultKind !== "entry") visit(result);
		else if (result.kind === "named" && result.definition.kind === "record")
			for (const field of result.definition.fields) visit(field.type);
	}
	return [...used].filter((one) => one.kind === "record");
}

/** Markdown in the WIT's indentation, as a docstring. */
function docstring(text: string, depth: number): string {
	const indent = "    ".repeat(depth);
	const lines = text.replaceAll("\\", "\\\\").replaceAll('"""', '\\"\\"\\"').replaceAll("`null`", "`None`").split("\n");
	if (lines.length === 1) return `${indent}"""${lines[0]}"""`;
	return `${indent}"""${lines.map((line, index) => (index === 0 || line === "" ? line : indent + line)).join("\n")}\n${indent}"""`;
}

/** `getVariableEntry` → `get_variable_entry`. */
export function snakeCase(name: string): string {
	return name.replace(/(?<=[a-z0-9])[A-Z]/g, (letter) => `_${letter}`).toLowerCase();
}

/** `variables.get-entry` → `VARIABLES_GET_ENTRY`. */
const constantName = (id: string): string => id.toUpperCase().replace(/[.-]/g, "_");
