import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, expectTypeOf, test } from "vitest";
import type * as script from "../../guest-sdks/js/cronium.d.ts";
import type { ProblemDetails } from "../../host/contract/errors.ts";
import { operations } from "../../host/contract/generated/operations.ts";
import type * as contract from "../../host/contract/generated/types.ts";
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

	test("have the records of the contract (checked by the compiler)", () => {
		expectTypeOf<script.Metadata>().toEqualTypeOf<contract.Metadata>();
		expectTypeOf<script.SetOptions>().toEqualTypeOf<contract.SetOptions>();
		expectTypeOf<script.DeleteOptions>().toEqualTypeOf<contract.DeleteOptions>();
		expectTypeOf<script.ListOptions>().toEqualTypeOf<contract.ListOptions>();
		expectTypeOf<script.KeyPage>().toEqualTypeOf<contract.KeyPage>();
		expectTypeOf<script.EventContext>().toEqualTypeOf<contract.EventContext>();
		expectTypeOf<script.ErrorCode>().toEqualTypeOf<contract.ErrorCode>();
		expectTypeOf<script.ErrorDetails>().toEqualTypeOf<ProblemDetails>();
	});
});
