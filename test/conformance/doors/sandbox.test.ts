import { join } from "node:path";
import { build } from "esbuild";
import { createHost, type Host } from "../../../host/index.ts";
import { javascriptEngines as engines, type JavaScriptEngine } from "../../../host/sandbox/engine.ts";
import { type ConformanceColumn, conformance, type FinishedRun } from "../conformance.ts";
import type { ConformanceCase, StepResult } from "../conformance-case.ts";
import { toGuestCall } from "../guest-step.ts";
import { readVariables, seedElsewhere } from "../namespace.ts";
import { sdkLacks } from "../sdk-lacks.ts";

conformance({ name: "sandbox", columns: engines.map(column) });

function column(engine: JavaScriptEngine): ConformanceColumn {
	return {
		name: engine,
		lacks: {
			...sdkLacks.JavaScript,
			connection: "nothing travels",
			token: "a script in the sandbox has none",
		},
		async open() {
			const host = await createHost({ engine, limits: { maxWorkers: 2 } });
			const guest = await bundleGuest();
			let runs = 0;
			return {
				run: (given) => runCase(given, host, `case-${runs++}`, guest),
				[Symbol.asyncDispose]: () => host.dispose(),
			};
		},
	};
}

async function runCase(given: ConformanceCase, host: Host, namespace: string, guest: string): Promise<FinishedRun> {
	const { elsewhere, tokenLifetimeMs, limits, ...options } = given.given ?? {};
	await seedElsewhere(host, namespace, elsewhere);
	const calls = given.steps.map((step) => ("waitMs" in step ? step : toGuestCall(step)));
	const { output, outputText, noOutput } = given.leaves ?? {};
	const isAboutOutput = output !== undefined || outputText !== undefined || noOutput || limits?.maxOutputBytes !== undefined;
	const toLog = isAboutOutput || options.scopes?.includes("output:write") === false;
	const outcome = await host.run({
		...options,
		namespace,
		limits: { ...(!toLog && { maxOutputBytes: 16 * 1024 * 1024 }), ...limits },
		script: {
			name: "conformance.js",
			source: `const calls = ${JSON.stringify(calls)}, reportTo = "${toLog ? "log" : "output"}";\n${guest}`,
		},
	});
	if (outcome.error) throw new Error(`${outcome.error.code}: ${outcome.error.message}\n${outcome.error.stack ?? ""}`);
	const variables = await readVariables(host, namespace);
	if (!toLog) return { results: JSON.parse(outcome.output as string) as StepResult[], outcome, variables };
	const report = outcome.logs.at(-1);
	return {
		results: JSON.parse(report?.message.replace("results ", "") ?? "") as StepResult[],
		outcome: { ...outcome, logs: outcome.logs.slice(0, -1) },
		variables,
	};
}

async function bundleGuest(): Promise<string> {
	const { outputFiles } = await build({
		entryPoints: [join(import.meta.dirname, "../guests/sandbox.ts")],
		bundle: true,
		format: "esm",
		external: ["cronium"],
		write: false,
	});
	return outputFiles[0]?.text as string;
}
