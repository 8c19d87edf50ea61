import { afterAll, beforeAll, expect, test } from "vitest";
import type { HostLine, ScriptPlace } from "../../host/executors/ssh/script-door.ts";
import type { SshHost } from "../../host/executors/ssh/ssh-host.ts";
import { createUrlDoors } from "../../ssh-bridge/url-doors.ts";
import { openPublicDoor, type PublicDoor } from "./public-door.ts";

let door: PublicDoor;
beforeAll(async () => {
	door = await openPublicDoor();
});
afterAll(() => door[Symbol.asyncDispose]());

const elsewhere = "127.0.0.2";

/** A host that is reached from this machine, as its connection sees it. */
function placeOf(remoteAddress: string, pinsAddress: boolean): ScriptPlace {
	const line: HostLine = {
		remoteAddress,
		listen: () => Promise.reject(new Error("A door by URL asks for no socket.")),
	};
	const host: SshHost = {
		name: "web-1",
		address: remoteAddress,
		port: 22,
		user: "runner",
		login: { kind: "agent", socket: "/run/agent.sock" },
		hostKeys: { kind: "fingerprints", fingerprints: [] },
		reach: "url",
		scopes: undefined,
		namespaces: ["default"],
		shared: false,
		tags: [],
		maxRuns: 1,
		limits: {},
		directory: undefined,
		pinsAddress,
	};
	return { host, line, directory: "/tmp/run-1" };
}

const openDoors = (trusted: string | undefined) => createUrlDoors({ url: door.url, tokens: door.tokens, trusted: () => trusted });

test("a script is given URL, token and, for an authority of the host's own, the file that says whom to trust", async () => {
	const run = await door.host.open({ input: "1" });
	await using own = await openDoors(door.certificate.trusted).open(run, placeOf("127.0.0.1", false));
	const token = own.environment.CRONIUM_EXECUTION_TOKEN as string;
	expect(own.environment).toEqual({
		CRONIUM_API_URL: door.url,
		CRONIUM_EXECUTION_TOKEN: token,
		CRONIUM_CA_CERT: "/tmp/run-1/ca.pem",
	});
	expect(own.files).toEqual({ "ca.pem": door.certificate.trusted });
	expect(JSON.stringify(own.files)).not.toContain(token);
	expect(await door.call("GET", "/v1/input", { token })).toMatchObject({ status: 200 });
	// Good to the deadline: nobody brings a script's child processes another one.
	const { aud, exp } = JSON.parse(Buffer.from(token.split(".")[1] as string, "base64url").toString());
	expect({ aud, exp }).toEqual({ aud: "bridge", exp: Math.ceil(run.execution.deadlineAt / 1_000) });
	await using known = await openDoors(undefined).open(run, placeOf("127.0.0.1", false));
	expect(Object.keys(known.environment)).toEqual(["CRONIUM_API_URL", "CRONIUM_EXECUTION_TOKEN"]);
	expect(known.files).toBeUndefined();
	run.end({ status: "succeeded" });
	await run.outcome;
});

test.each(["127.0.0.1", "::ffff:127.0.0.1"])(
	"the token of a host that pins its address, %s, is good from there only",
	async (address) => {
		const run = await door.host.open({});
		await using pinned = await openDoors(undefined).open(run, placeOf(address, true));
		await using free = await openDoors(undefined).open(run, placeOf(address, false));
		const call = (environment: Readonly<Record<string, string>>, from: string) =>
			door.call("GET", "/v1/input", { token: environment.CRONIUM_EXECUTION_TOKEN as string, from });
		expect(await call(pinned.environment, "127.0.0.1")).toMatchObject({ status: 200 });
		expect(await call(pinned.environment, elsewhere)).toMatchObject({ status: 401 });
		expect(await call(free.environment, elsewhere)).toMatchObject({ status: 200 });
		run.end({ status: "succeeded" });
		await run.outcome;
	},
);

test("a door that is closed has taken its token along, with all that it was renewed to", async () => {
	const run = await door.host.open({});
	const closed = await openDoors(undefined).open(run, placeOf("127.0.0.1", false));
	const token = closed.environment.CRONIUM_EXECUTION_TOKEN as string;
	const renewed = (await door.call("POST", "/v1/token", { token })).body.token as string;
	await closed[Symbol.asyncDispose]();
	for (const one of [token, renewed]) expect(await door.call("GET", "/v1/input", { token: one })).toMatchObject({ status: 401 });
	run.end({ status: "succeeded" });
	await run.outcome;
	await expect(openDoors(undefined).open(run, placeOf("127.0.0.1", false))).rejects.toMatchObject({ code: "cancelled" });
});
