import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { request } from "undici";
import { type Door, type DoorRun, openDoor } from "../http/door.ts";
import type { ConformanceColumn, ConformanceDoor, ConformanceSession, FinishedRun } from "./conformance.ts";
import type { ConformanceCase } from "./conformance-case.ts";
import { type CuttingProxy, openCuttingProxy } from "./cutting-proxy.ts";
import { takeSteps } from "./guest-session.ts";
import { readVariables, seedElsewhere } from "./namespace.ts";
import { buildSdks, type Sdk, type SdkGuest, startGuest } from "./sdk-guests.ts";
import { sdkLacks } from "./sdk-lacks.ts";

/** The runtime API over one transport: SDKs, each through a proxy that can cut its connections. */
export function httpDoor(name: string, transport: { readonly unixSocket: boolean }, columns: readonly Sdk[]): ConformanceDoor {
	return { name, columns: columns.map((sdk) => column(sdk, transport)) };
}

function column(sdk: Sdk, { unixSocket }: { readonly unixSocket: boolean }): ConformanceColumn {
	return {
		name: sdk,
		lacks: sdkLacks[sdk],
		async open(): Promise<ConformanceSession> {
			await using opened = new AsyncDisposableStack();
			const directory = await mkdtemp(join(tmpdir(), "cronium-conformance-"));
			opened.defer(() => rm(directory, { recursive: true, force: true }));
			const door = opened.use(await openDoor({ unixSocket }));
			const socketPath = unixSocket ? join(directory, "proxy.sock") : undefined;
			const target = door.socketPath ? { path: door.socketPath } : { host: "127.0.0.1", port: Number(new URL(door.url).port) };
			const proxy = opened.use(await openCuttingProxy(target, socketPath));
			buildSdks(directory);
			const guest = opened.use(startGuest(sdk, directory, directory));
			const address: Record<string, string> = socketPath
				? { CRONIUM_SOCKET: socketPath }
				: { CRONIUM_API_URL: `http://127.0.0.1:${proxy.port}` };
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
		requireFirstTokenRefused: () => requireRefused(door, run),
	});
	const outcome = await run.end();
	const cuts = given.steps.filter((step) => "cutNextAnswer" in step).length;
	if (proxy.cuts - before !== cuts) throw new Error(`${proxy.cuts - before} of ${cuts} answers were cut.`);
	if (door.internalErrors.length > 0) throw door.internalErrors[0];
	return { results, outcome, variables: await readVariables(door.host, namespace) };
}

async function requireRefused({ url, socketPath }: Door, { token }: DoorRun): Promise<void> {
	const { Client } = await import("undici");
	const dispatcher = new Client(url, socketPath ? { socketPath } : {});
	try {
		const { statusCode, body } = await request(`${url}/v1/condition`, {
			dispatcher,
			headers: { authorization: `Bearer ${token}` },
		});
		await body.dump();
		if (statusCode !== 401) throw new Error(`The first token is still good: the status is ${statusCode}.`);
	} finally {
		await dispatcher.close();
	}
}
