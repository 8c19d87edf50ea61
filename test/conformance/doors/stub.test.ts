import { existsSync } from "node:fs";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type ConformanceColumn, type ConformanceSession, conformance, type FinishedRun } from "../conformance.ts";
import type { ConformanceCase } from "../conformance-case.ts";
import { takeSteps } from "../guest-session.ts";
import { buildSdks, type Sdk, type SdkGuest, sdks, startGuest } from "../sdk-guests.ts";
import { sdkLacks } from "../sdk-lacks.ts";

conformance({ name: "stub", columns: sdks.map(column) });

function column(sdk: Sdk): ConformanceColumn {
	return {
		name: sdk,
		lacks: {
			...sdkLacks[sdk],
			connection: "nothing travels",
			token: "the stub needs none",
			rights: "the stub knows one run, which may do everything",
			concurrency: "one process has the variables to itself",
			thousand: "one process has the variables to itself",
		},
		async open(): Promise<ConformanceSession> {
			await using opened = new AsyncDisposableStack();
			const directory = await mkdtemp(join(tmpdir(), "cronium-conformance-"));
			opened.defer(() => rm(directory, { recursive: true, force: true }));
			buildSdks(directory);
			const guest = opened.use(startGuest(sdk, directory, directory));
			const owned = opened.move();
			return {
				run: (given) => runCase(given, guest, directory),
				[Symbol.asyncDispose]: () => owned.disposeAsync(),
			};
		},
	};
}

async function runCase(given: ConformanceCase, guest: SdkGuest, directory: string): Promise<FinishedRun> {
	const { input, variables = {}, event } = given.given ?? {};
	const state = join(directory, "state.json");
	await rm(state, { force: true });
	const members = Object.entries(variables).map(([key, text]) => `${JSON.stringify(key)}: ${text}`);
	const settings: Record<string, string> = { CRONIUM_STUB_STATE: state };
	const give = async (name: string, text: string): Promise<void> => {
		// More than an environment has room for.
		const file = join(directory, `${name}.json`);
		await writeFile(file, text);
		settings[name] = `@${file}`;
	};
	if (input !== undefined) await give("CRONIUM_STUB_INPUT", input);
	if (members.length > 0) await give("CRONIUM_STUB_VARIABLES", `{${members.join(",")}}`);
	if (event) await give("CRONIUM_STUB_EVENT", JSON.stringify(event));
	await guest.enter(settings);
	const results = await takeSteps(guest, given);
	return { results, variables: (await readState(state)) ?? variables };
}

/** The variables that the stub has kept; undefined when nothing was written. What has expired is there until somebody looks. */
async function readState(file: string): Promise<Record<string, string> | undefined> {
	if (!existsSync(file)) return undefined;
	const { variables } = JSON.parse(await readFile(file, "utf8")) as {
		variables: Record<string, { value: unknown; expiresAt?: string }>;
	};
	const live = Object.entries(variables).filter(([, { expiresAt }]) => !expiresAt || Date.parse(expiresAt) > Date.now());
	return Object.fromEntries(live.map(([key, { value }]) => [key, JSON.stringify(value)]));
}
