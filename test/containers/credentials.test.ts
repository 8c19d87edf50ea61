import { readdirSync, readFileSync } from "node:fs";
import { connect as connectSocket } from "node:net";
import { join } from "node:path";
import { connect as connectTls, type TLSSocket } from "node:tls";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, test } from "vitest";
import { identifyByToken } from "../../host/http/credentials.ts";
import { runtimeApi } from "../../host/http/runtime-api.ts";
import { createServer, drainServer } from "../../host/http/server.ts";
import type { Outcome } from "../../host/index.ts";
import { ExecutionTokens } from "../../host/tokens/execution-tokens.ts";
import { KeyRing } from "../../host/tokens/key-ring.ts";
import { CertificateAuthority } from "../../sidecar/certificate-authority.ts";
import { ServerIdentity } from "../../sidecar/certificates.ts";
import { sendRequest } from "../http/send-request.ts";
import { type ContainerHost, openContainerHost, reported } from "./container-host.ts";
import { engineKinds, findTestEngine } from "./engines.ts";

const client = readFileSync(join(import.meta.dirname, "attacks/door_client.py"), "utf8");

/** Gives away what it has, and stays until it is told to end. */
const victim = `${client}
import time, cronium
names = ("ca.pem", "client.pem", "client.key", "token")
print(json.dumps({name: own(name) for name in names}), flush=True)
while cronium.get_variable("end") is None:
    time.sleep(0.05)
`;

const thief = `${client}
import cronium
other = cronium.get_input()
certificate, key, token = own("client.pem"), own("client.key"), own("token")
found = []
for directory, directories, files in os.walk("/"):
    if directory in ("/proc", "/sys"):
        directories.clear()
    found += [os.path.join(directory, name) for name in files if name.endswith((".sock", ".pem", ".key")) or name == "token"]
print(json.dumps({
    "own": ask(certificate, key, token),
    "no certificate": ask(None, None, token),
    "no token": ask(certificate, key),
    "another's token": ask(certificate, key, other["token"]),
    "another's certificate": ask(other["client.pem"], other["client.key"], token),
    "another's certificate and token": ask(other["client.pem"], other["client.key"], other["token"]),
    "another's certificate, without a token": ask(other["client.pem"], other["client.key"]),
    "another's token, without a certificate": ask(None, None, other["token"]),
    "an empty token": ask(certificate, key, ""),
    "half of the token": ask(certificate, key, token[:len(token) // 2]),
    "found": found,
    "door of another": [name for name in os.listdir("/run") if name not in ("cronium", "podman-init")],
}))
`;

describe.each(engineKinds)("credentials of a run in a container of %s", async (kind) => {
	const isMissing = "missing" in (await findTestEngine(kind));
	let containers: ContainerHost;
	beforeAll(async () => {
		if (!isMissing) containers = await openContainerHost(kind);
	});
	afterAll(() => containers?.[Symbol.asyncDispose]());
	let over: AbortController;
	beforeEach(() => {
		over = new AbortController();
	});
	afterEach(async () => {
		// A test that has failed has not ended its victim.
		over.abort();
		await containers?.requireNothingLeft();
	});

	/** A run that is under way and has told its credentials. */
	const startVictim = async (namespace: string) => {
		const told = Promise.withResolvers<Record<"ca.pem" | "client.pem" | "client.key" | "token", string>>();
		const outcome: Promise<Outcome> = containers.run("victim.py", victim, {
			namespace,
			signal: over.signal,
			onLog: ({ message }) => message.startsWith("{") && told.resolve(JSON.parse(message)),
		});
		outcome.then(({ error }) => told.reject(new Error(`The victim has ended: ${error?.message}`)), told.reject);
		const credentials = await told.promise;
		const runs = join(containers.dataDirectory, "runs");
		const socketPath = readdirSync(runs)
			.map((name) => join(runs, name, "door"))
			.find((door) => readFileSync(join(door, "token"), "utf8") === credentials.token) as string;
		return {
			credentials,
			socketPath: join(socketPath, "api.sock"),
			async end() {
				await containers.host.variables(namespace).set("end", "true");
				const ended = await outcome;
				expect(ended).toMatchObject({ status: "succeeded" });
				return ended;
			},
		};
	};

	test.skipIf(isMissing)("are worth nothing in the hands of another run, in whatever combination", async () => {
		const { credentials, end } = await startVictim("victim");
		const outcome = await containers.run("thief.py", thief, { input: JSON.stringify(credentials), namespace: "thief" });
		await end();
		const { found, ...report } = reported(outcome);
		expect(report).toEqual({
			own: 200,
			"no certificate": "refused",
			"no token": 401,
			"another's token": 401,
			"another's certificate": 401,
			"another's certificate and token": 401,
			"another's certificate, without a token": 401,
			"another's token, without a certificate": "refused",
			"an empty token": 401,
			"half of the token": 401,
			"door of another": [],
		});
		// Its own directory cannot be listed, and another's is nowhere: what it has written itself is all there is.
		expect(found).toEqual([]);
	});

	test.skipIf(isMissing)("are worth nothing at another door, with and without the certificate", async () => {
		const { credentials, end } = await startVictim("elsewhere");
		const { host, dataDirectory } = containers;
		const tokens = new ExecutionTokens(new KeyRing(dataDirectory), host.limits, (id) => host.served(id));
		// A bridge that even trusts the authority of the host's own runs.
		const { certificate, key, trusted } = await new ServerIdentity(new CertificateAuthority(dataDirectory), []).current();
		const tls = { certificate, key, clientIssuers: trusted };
		for (const options of [{}, { tls }]) {
			const bridge = createServer(options);
			await bridge.register(runtimeApi, {
				identify: identifyByToken(tokens, "bridge"),
				tokens,
				traffic: await host.traffic(),
				isReady: () => true,
			});
			await bridge.listen({ host: "127.0.0.1", port: 0 });
			const { port } = bridge.server.address() as { port: number };
			const shown = { ca: trusted, cert: credentials["client.pem"], key: credentials["client.key"] };
			const answer = await sendRequest(
				"tls" in options ? { url: `https://localhost:${port}`, tls: shown } : { url: `http://127.0.0.1:${port}` },
				"GET",
				"/v1/input",
				{
					headers: { authorization: `Bearer ${credentials.token}` },
				},
			);
			await drainServer(bridge, 100);
			expect(answer.status).toBe(401);
			expect(answer.body.code).toBe("unauthenticated");
		}
		await end();
	});

	test.skipIf(isMissing)("are worth nothing when the run has ended, on a connection that was open before", async () => {
		const { credentials, socketPath, end } = await startVictim("ended");
		const tls = { ca: credentials["ca.pem"], cert: credentials["client.pem"], key: credentials["client.key"] };
		const open = async (): Promise<TLSSocket> => {
			const socket = connectTls({ socket: connectSocket(socketPath), servername: "localhost", ...tls });
			await new Promise((resolve, reject) => socket.once("secureConnect", resolve).once("error", reject));
			return socket;
		};
		const kept = await open();
		const request = `GET /v1/input HTTP/1.1\r\nHost: localhost\r\nAuthorization: Bearer ${credentials.token}\r\n\r\n`;
		kept.write(request);
		expect(String(await new Promise((resolve) => kept.once("data", resolve)))).toContain(" 200 ");
		const waiting = connectSocket(socketPath);
		const closed = Promise.all(
			[kept, waiting].map((one) => new Promise((resolve) => one.on("error", () => {}).once("close", resolve))),
		);
		await end();
		await closed;
		await expect(open()).rejects.toMatchObject({ code: "ENOENT" });
	});
});
