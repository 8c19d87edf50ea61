import type { Contract, ContractFunction, ContractParameter, Field } from "./contract.ts";
import { camelCase } from "./names.ts";
import type { HttpForm, HttpPlace, OperationBinding } from "./operations.ts";
import type { Scope } from "./scopes.ts";
import { WitError } from "./syntax.ts";

/** One place in an HTTP request and what it carries. */
export interface BoundPlace extends HttpPlace {
	readonly parameter: ContractParameter;
	/** The field of the parameter, when that is a record that is spread over several places. */
	readonly field: Field | undefined;
	readonly required: boolean;
	/** `key`, `options.if-version`. */
	readonly path: string;
}

/** A function of the contract with everything that the table beside the generator says about it. */
export interface BoundOperation extends ContractFunction {
	readonly sdkName: string;
	readonly method: string;
	readonly scope: Scope;
	readonly effect: boolean;
	readonly prose: readonly string[];
	readonly http: HttpForm;
	readonly places: readonly BoundPlace[];
	/** The id of the operation whose route serves this one, when it has none of its own. */
	readonly servedBy: string | undefined;
}

/**
 * Joins the functions of the contract with their rows, in the order of the world. Throws a WitError that names the
 * function without a row, the row without a function, or the parameter without a place in the HTTP request.
 */
export function bindOperations(
	contract: Contract,
	bindings: Readonly<Record<string, OperationBinding>>,
): readonly BoundOperation[] {
	const functions = contract.interfaces.flatMap((one) => one.functions);
	for (const id of Object.keys(bindings))
		if (!functions.some((one) => one.id === id))
			throw new WitError(undefined, `wit/operations.ts has a row "${id}", but the WIT has no such function`);
	const rowOf = (one: ContractFunction): OperationBinding => {
		const row = Object.hasOwn(bindings, one.id) ? bindings[one.id] : undefined;
		if (!row) throw new WitError(one.position, `the function ${one.id} has no row in wit/operations.ts`);
		return row;
	};
	const operations = functions.map((one): BoundOperation => {
		const row = rowOf(one);
		const servedBy = "sameAs" in row.http ? row.http.sameAs : undefined;
		const server = servedBy === undefined ? row : bindings[servedBy];
		if (!server || "sameAs" in server.http)
			throw new WitError(
				undefined,
				`wit/operations.ts: ${one.id} is the same as "${servedBy}", which has no HTTP form of its own`,
			);
		for (const name of row.prose ?? [])
			if (!one.parameters.some((parameter) => parameter.name === name))
				throw new WitError(undefined, `wit/operations.ts: ${one.id} has no parameter ${name} to be prose`);
		return {
			...one,
			sdkName: row.sdkName,
			method: camelCase(one.name),
			scope: row.scope,
			effect: row.effect,
			prose: row.prose ?? [],
			http: server.http,
			places: bindPlaces(one, server.http),
			servedBy,
		};
	});
	requireUnique(operations, ({ sdkName }) => sdkName, "the SDK name");
	requireUnique(
		operations.filter(({ servedBy }) => servedBy === undefined),
		({ http }) => `${http.method} ${http.path}`,
		"the route",
	);
	return operations;
}

function bindPlaces(one: ContractFunction, http: HttpForm): readonly BoundPlace[] {
	const left = new Map(Object.entries(http.parameters));
	const take = (path: string): HttpPlace => {
		const place = left.get(path);
		if (!place) throw new WitError(one.position, `wit/operations.ts: ${one.id} says nothing about where "${path}" is in HTTP`);
		left.delete(path);
		return place;
	};
	const places = one.parameters.flatMap((parameter): BoundPlace[] => {
		const { type } = parameter;
		if (type.kind !== "named" || type.definition.kind !== "record" || left.has(parameter.name))
			return [{ ...take(parameter.name), parameter, field: undefined, required: parameter.required, path: parameter.name }];
		return type.definition.fields.map((field) => {
			const path = `${parameter.name}.${field.name}`;
			return { ...take(path), parameter, field, required: parameter.required && !field.optional, path };
		});
	});
	const unknown = [...left.keys()][0];
	if (unknown !== undefined) throw new WitError(undefined, `wit/operations.ts: ${one.id} has no parameter "${unknown}"`);
	const inPath = [...http.path.matchAll(/\{([^}]*)\}/g)].map(([, name]) => name).join(", ");
	const given = places.flatMap((place) => (place.in === "path" ? [place.name] : [])).join(", ");
	if (inPath !== given)
		throw new WitError(undefined, `wit/operations.ts: the path of ${one.id} has {${inPath}}, its row {${given}}`);
	if ((one.resultKind === "none") !== (http.answer.body === "none"))
		throw new WitError(undefined, `wit/operations.ts: the HTTP answer of ${one.id} does not fit its result`);
	if (one.optionalResult !== (http.answer.none !== undefined))
		throw new WitError(undefined, `wit/operations.ts: the row of ${one.id} must say what is sent for none, if it can be none`);
	return places;
}

function requireUnique(operations: readonly BoundOperation[], nameOf: (operation: BoundOperation) => string, what: string): void {
	const seen = new Map<string, string>();
	for (const operation of operations) {
		const value = nameOf(operation);
		const other = seen.get(value);
		if (other !== undefined)
			throw new WitError(undefined, `wit/operations.ts: ${other} and ${operation.id} share ${what} ${value}`);
		seen.set(value, operation.id);
	}
}
