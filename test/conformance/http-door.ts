import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Door, type DoorRun, openDoor } from "../http/door.ts";
import type { ConformanceColumn, ConformanceDoor, ConformanceSession, FinishedRun } from "./conformance.ts";
import type { ConformanceCase } from "./conformance-case.ts";
import { type CuttingProxy, openCuttingProxy } from "./cutting-proxy.ts";
import { takeSteps } from "./guest-session.ts";
import { readVariables, seedElsewhere } from "./namespace.ts";
import { buildSdks, type Sdk, type SdkGuest, startGuest } from "./sdk-guests.ts";
import { sdkLacks } from "./sdk-lacks.ts";

/** The runtime API without TLS: SDKs, each through a proxy that can cut its connections. */
export function httpDoor(name: string, columns: readonly Sdk[]): ConformanceDoor {
	return { name, columns: columns.map(column) };
}

function column(sdk: Sdk): ConformanceColumn {
	return {
		name: sdk,
		lacks: sdkLacks[sdk],
		async open(): Promise<ConformanceSession> {
			await using opened = new AsyncDisposableStack();
			const directory = await mkdtemp(join(tmpdir(), "cronium-conformance-"));
			opened.defer(() => rm(directory, { recursive: true, force: true }));
			const door = opened.use(await openDoor());
			const proxy = opened.use(await openCuttingProxy({ host: "127.0.0.1", port: Number(new URL(door.url).port) }));
			buildSdks(directory);
			const guest = opened.use(startGuest(sdk, directory, directory));
			const address = { CRONIUM_API_URL: `http://127.0.0.1:${proxy.port}` };
			const owned = opened.move();
			let runs = 0;
			return {
				run: (given) => runCase(given, `case-${runs++}`, door, proxy, guest, address),
				[Symbol.asyncDispose]: () => owned.disposeAsync(),
			};
		},
	};
}

async function runCase(
	given: ConformanceCase,
	namespace: string,
	door: Door,
	proxy: CuttingProxy,
	guest: SdkGuest,
	address: Readonly<Record<string, string>>,
): Promise<FinishedRun> {
	const { elsewhere, tokenLifetimeMs, ...options } = given.given ?? {};
	await seedElsewhere(door.host, namespace, elsewhere);
	const run = await door.startRun(
		{ namespace, ...options },
		{ ...(tokenLifetimeMs !== undefined && { lifetimeMs: tokenLifetimeMs }) },
	);
	await guest.enter({ ...address, CRONIUM_EXECUTION_TOKEN: run.token });
	const before = proxy.cuts;
	const results = await takeSteps(guest, given, {
		cutNextAnswer: proxy.cutNextAnswer,
		endRun: async () => void (await run.end()),
		requireFirstTokenRefused: () => requireRefused(run),
	});
	const outcome = await run.end();
	const cuts = given.steps.filter((step) => "cutNextAnswer" in step).length;
	if (proxy.cuts - before !== cuts) throw new Error(`${proxy.cuts - before} of ${cuts} answers were cut.`);
	if (door.internalErrors.length > 0) throw door.internalErrors[0];
	return { results, outcome, variables: await readVariables(door.host, namespace) };
}

async function requireRefused({ call }: DoorRun): Promise<void> {
	const { status } = await call("GET", "/v1/condition");
	if (status !== 401) throw new Error(`The first token is still good: the status is ${status}.`);
}
