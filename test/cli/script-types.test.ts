import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { operations } from "../../host/contract/generated/operations.ts";
import { projectDirectory } from "./cronium.ts";

const declarations = readFileSync(join(projectDirectory, "guest-sdks/js/cronium.d.ts"), "utf8");

describe("the types of the module cronium", () => {
	test("have one function for every operation, with its parameters, and no other", () => {
		const declared = [...declarations.matchAll(/^export function (\w+)(?:<[^>]*>)?\(([^)]*)\)/gm)].map(
			([, name, parameters = ""]) => ({
				name,
				parameters: [...parameters.matchAll(/(\w+)(\??): /g)].map(([, parameter, optional]) => ({
					name: parameter,
					required: optional === "",
				})),
			}),
		);
		expect(declared).toEqual(
			operations.map(({ sdkName, parameters }) => ({
				name: sdkName,
				parameters: parameters.map(({ name, required }) => ({ name, required })),
			})),
		);
	});

	test("have everything in the default export as well", () => {
		const members = [...declarations.matchAll(/^\treadonly (\w+): typeof (\w+);$/gm)].map(([, name, type]) => [name, type]);
		expect(members).toEqual([...operations.map(({ sdkName }) => sdkName), "log", "RuntimeError"].map((name) => [name, name]));
	});
});
