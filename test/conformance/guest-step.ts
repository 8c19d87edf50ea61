import { operations } from "../../host/contract/generated/operations.ts";
import type { CallStep, ParallelStep, Step } from "./conformance-case.ts";

/** A call as guests get it: its arguments in order, those that are left out as null at the end cut off. */
export interface GuestCall {
	readonly name: string;
	readonly arguments: readonly unknown[];
	/** For the guests that resolve references themselves. */
	readonly as?: string;
	readonly lanes?: number;
	readonly times?: number;
}

/** The form in which a step travels to a guest; undefined when it is the harness's to take. */
export function toGuestCall(step: Step): GuestCall | undefined {
	const { lanes, times } = step as ParallelStep;
	const call = "parallel" in step ? { ...step.parallel, ...("as" in step && { as: step.as }) } : step;
	if (!("call" in call)) return undefined;
	return {
		name: call.call,
		arguments: listArguments(call),
		...(call.as !== undefined && { as: call.as }),
		...(lanes !== undefined && { lanes, times }),
	};
}

function listArguments({ call, with: given = {} }: CallStep): readonly unknown[] {
	const operation = operations.find(({ sdkName }) => sdkName === call);
	if (!operation) throw new Error(`The contract has no function ${call}.`);
	const names = operation.parameters.map(({ name }) => name);
	for (const name of Object.keys(given)) if (!names.includes(name)) throw new Error(`${call} has no parameter ${name}.`);
	const listed = names.map((name) => (Object.hasOwn(given, name) ? given[name] : null));
	while (listed.length > 0 && listed.at(-1) === null) listed.pop();
	return listed;
}

/** A message of one line: some readers of lines end them at U+2028, too. */
export function toLine(message: unknown): string {
	return `${JSON.stringify(message).replaceAll("\u2028", "\\u2028").replaceAll("\u2029", "\\u2029")}\n`;
}
