import { once } from "node:events";
import { mkdtempSync, readFileSync, writeFileSync } from "node:fs";
import { type AddressInfo, connect, createServer, type Server, type Socket } from "node:net";
import { join } from "node:path";
import { createServer as createTlsServer } from "node:tls";
import { afterAll, beforeAll, describe, expect, onTestFinished, test, vi } from "vitest";
import { containerSpec, requireUsableImage } from "../../host/executors/container/container-spec.ts";
import { readEngineAddress } from "../../host/executors/container/engine-address.ts";
import { type ContainerEngine, connectEngine, findEngine } from "../../host/executors/container/engine-client.ts";
import { imageReference } from "../../host/images/images.ts";
import { temporaryDirectory } from "../store/directory.ts";
import { makeCertificates, readClient } from "../tokens/certificates.ts";
import { engineKinds, findTestEngine } from "./engines.ts";
import { options, runContainer } from "./run-container.ts";

describe.each(engineKinds)("%s", async (kind) => {
	const found = await findTestEngine(kind, ["bash"]);
	if ("missing" in found) {
		test.skip(found.missing, () => {});
		return;
	}
	let engine: ContainerEngine;
	const { path: directory, remove } = temporaryDirectory();
	beforeAll(async () => {
		engine = await connectEngine(found.address);
	});
	afterAll(async () => {
		await engine[Symbol.asyncDispose]();
		remove();
	});
	const bash = (script: string) => options(engine, directory, ["bash", "-c", script]);

	test("says what it is", async () => {
		expect(engine.kind).toBe(kind);
		expect(await engine.info()).toMatchObject({ isRootless: false, hasUserNamespaces: kind === "docker" });
		expect((await engine.info()).id).toBe((await engine.info()).id);
	});

	test("a container reads its input to the end, and its output, its errors and its exit code come back", async () => {
		const end = await runContainer(engine, bash("cat; echo wrong >&2; exit 7"), "first\nsecond\n");
		expect(end).toEqual({ code: 7, stdout: "first\nsecond\n", stderr: "wrong\n", isOutOfMemory: false });
	});

	test("not a byte of 20 MB is lost, with a reader that is slower than the writer", async () => {
		const id = await engine.createContainer(
			`test-${crypto.randomUUID()}`,
			containerSpec(engine, bash("head -c 20000000 /dev/zero")),
		);
		try {
			await using streams = await engine.attach(id);
			await engine.startContainer(id);
			let bytes = 0;
			for await (const piece of streams.output) {
				bytes += piece.bytes.length;
				if (bytes % 7 === 0) await new Promise(setImmediate);
			}
			expect(bytes).toBe(20_000_000);
			expect(await engine.waitForExit(id)).toBe(0);
		} finally {
			await engine.removeContainer(id);
		}
	});

	test("a container is found by its labels, waited for, killed and removed; all of it may be done twice", async () => {
		const mark = crypto.randomUUID();
		const body = containerSpec(engine, { ...bash("sleep 100"), labels: { "cronium.test": mark, other: "a=b" } });
		const id = await engine.createContainer(`test-${mark}`, body);
		try {
			await engine.startContainer(id);
			expect(await engine.listContainers({ "cronium.test": mark, other: "a=b" })).toMatchObject([
				{ id, name: `test-${mark}`, isRunning: true, labels: { "cronium.test": mark } },
			]);
			expect(await engine.listContainers({ "cronium.test": mark, other: "c" })).toEqual([]);
			const state = await engine.inspectContainer(id);
			expect(state).toMatchObject({ isRunning: true, isOutOfMemory: false });
			expect(state?.pid).toBeGreaterThan(0);
			await expect(engine.waitForExit(id, AbortSignal.abort(new Error("enough")))).rejects.toThrow("enough");
			const stop = new AbortController();
			const waiting = engine.waitForExit(id, stop.signal);
			stop.abort(new Error("later"));
			await expect(waiting).rejects.toThrow("later");
			await engine.killContainer(id, "SIGKILL");
			expect(await engine.waitForExit(id)).toBe(137);
			await engine.killContainer(id, "SIGKILL");
		} finally {
			await engine.removeContainer(id);
		}
		await engine.removeContainer(id);
		await engine.killContainer(id, "SIGKILL");
		expect(await engine.inspectContainer(id)).toBeUndefined();
		await expect(engine.startContainer(id)).rejects.toMatchObject({ code: "container-missing" });
		await expect(engine.waitForExit(id)).rejects.toMatchObject({ code: "container-missing" });
	});

	test("memory that is exceeded is told apart from a crash", async () => {
		const end = await runContainer(engine, bash("exec 2>&-; x=0123456789; while :; do x=$x$x; done"));
		expect(end).toMatchObject({ code: 137, isOutOfMemory: true });
		expect(await runContainer(engine, bash("kill -SEGV $$"))).toMatchObject({ code: 139, isOutOfMemory: false });
	});

	test("an image that is missing is told by its name; one with volumes is refused", async () => {
		expect(await engine.inspectImage("localhost/cronium/nothing:1")).toBeUndefined();
		const body = containerSpec(engine, { ...bash(""), image: "localhost/cronium/nothing:1" });
		await expect(engine.createContainer(`test-${crypto.randomUUID()}`, body)).rejects.toMatchObject({
			code: "image-missing",
			message: expect.stringContaining(found.address),
		});
		const image = await engine.inspectImage(imageReference("bash"));
		if (!image) throw new Error("The image of the tests is missing.");
		expect(() => requireUsableImage(image, "a")).not.toThrow();
		expect(() => requireUsableImage({ ...image, volumes: ["/data"] }, "localhost/a:1")).toThrow(
			"Image localhost/a:1 has the volume /data",
		);
	});

	test("the names of this machine and of its network are not in a container", async () => {
		const end = await runContainer(engine, bash("cat /etc/hosts /etc/resolv.conf /etc/hostname; env"));
		expect(end.stdout).toContain("127.0.0.1\tlocalhost\n::1\tlocalhost\n");
		expect(end.stdout).not.toMatch(/proxy|host\.containers|nameserver (?!127)/i);
	});
});

describe("over TCP", async () => {
	const found = await findTestEngine("docker", ["bash"]);
	if ("missing" in found) {
		test.skip(found.missing, () => {});
		return;
	}

	test("a container's streams go over TLS, ended in each direction by itself; without the certificate nobody gets in", async () => {
		const { path, remove } = temporaryDirectory();
		onTestFinished(remove);
		const certificates = makeCertificates(path);
		const front = createTlsServer({
			ca: readFileSync(certificates.ca),
			cert: readFileSync(certificates.serverCert),
			key: readFileSync(certificates.serverKey),
			requestCert: true,
			rejectUnauthorized: true,
			allowHalfOpen: true,
		});
		front.on("secureConnection", (socket) => {
			const behind = connect({ path: found.address.slice("unix://".length), allowHalfOpen: true });
			for (const [from, to] of [
				[socket, behind],
				[behind, socket],
			] as const)
				from.on("error", () => to.destroy()).pipe(to);
		});
		front.listen(0, "127.0.0.1");
		await once(front, "listening");
		onTestFinished(() => void front.close());
		const address = `tcp://127.0.0.1:${(front.address() as AddressInfo).port}`;
		onTestFinished(() => void vi.unstubAllEnvs());
		const useClient = (name: "client" | "stranger"): void => {
			const directory = mkdtempSync(join(path, "client-"));
			const { ca, cert, key } = readClient(certificates, name);
			for (const [file, text] of Object.entries({ "ca.pem": ca, "cert.pem": cert, "key.pem": key }))
				writeFileSync(join(directory, file), text);
			vi.stubEnv("DOCKER_CERT_PATH", directory);
		};

		useClient("client");
		await using engine = await connectEngine(address);
		const end = await runContainer(engine, options(engine, path, ["bash", "-c", "cat; exit 3"]), "over TLS\n");
		expect(end).toMatchObject({ code: 3, stdout: "over TLS\n" });
		useClient("stranger");
		await expect(connectEngine(address)).rejects.toMatchObject({ code: "engine-unreachable" });
		// In clear, which is allowed here, the front says nothing.
		vi.stubEnv("DOCKER_CERT_PATH", "");
		await expect(connectEngine(address)).rejects.toMatchObject({ code: "engine-unreachable" });
	});
});

describe("an engine that is not as it should be", () => {
	test("addresses without TLS beyond loopback, and what is no address, are refused", () => {
		expect(readEngineAddress("tcp://127.0.0.1:2375", {})).toEqual({ type: "tcp", host: "127.0.0.1", port: 2375 });
		expect(readEngineAddress("tcp://[::1]:2375", {})).toEqual({ type: "tcp", host: "::1", port: 2375 });
		expect(() => readEngineAddress("tcp://10.0.0.1:2375", {})).toThrow("tcp://10.0.0.1:2375 would be reached without TLS");
		expect(() => readEngineAddress("tcp://127.0.0.1.example.org:2375", {})).toThrow("without TLS");
		expect(() => readEngineAddress("tcp://10.0.0.1:2376", { DOCKER_CERT_PATH: "/nowhere" })).toThrow(
			"ca.pem of DOCKER_CERT_PATH (/nowhere) cannot be read",
		);
		for (const address of [
			"/run/docker.sock",
			"unix://run/docker.sock",
			"tcp://a",
			"tcp://a:0",
			"tcp://a:70000",
			"http://a:1",
			"",
		])
			expect(() => readEngineAddress(address, {})).toThrow(`${JSON.stringify(address)} is not the address of a container engine`);
	});

	test("one that is named and not there is not replaced by another", async () => {
		await expect(findEngine("unix:///nowhere/engine.sock")).rejects.toMatchObject({
			code: "engine-unreachable",
			message: "unix:///nowhere/engine.sock: cannot ask for the version: there is no such socket",
		});
	});

	test("a server that is none is told from an engine that is wrong", async () => {
		const expected = {
			code: "engine-unreachable",
			message: expect.stringContaining("something else than a container engine answers there"),
		};
		await expect(findEngine(await listenFor(answerJson({ error: "no such page" }, 404)))).rejects.toMatchObject(expected);
		for (const answer of ["null", "[]", '{"Version":"24.0"}', '{"Version":24,"ApiVersion":"1.43"}'])
			await expect(findEngine(await listen(answerJson(JSON.parse(answer))))).rejects.toMatchObject(expected);
	});

	test("one that is too old is named with its version", async () => {
		const old = await listen(answerJson({ Version: "19.03.1", ApiVersion: "1.40" }));
		await expect(findEngine(old)).rejects.toMatchObject({
			code: "engine-too-old",
			message: expect.stringContaining('docker "19.03.1" with API "1.40" is too old'),
		});
		const podman = "HTTP/1.1 200 OK\r\nApi-Version: 1.41\r\nLibpod-Api-Version: 4.2.9\r\ncontent-length: 0\r\n\r\n";
		await expect(findEngine(await listenFor(podman))).rejects.toMatchObject({
			code: "engine-too-old",
			message: expect.stringContaining('podman "4.2.9" with API "1.41" is too old'),
		});
	});

	test("what it answers is not believed without looking, nor told in full", async () => {
		await expect(findEngine(await listen("HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n<ht>"))).rejects.toMatchObject({
			code: "engine-error",
			message: expect.stringContaining("answered what is not JSON"),
		});
		const upgrade = "HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n";
		await expect(findEngine(await listen(upgrade))).rejects.toMatchObject({ code: "engine-unreachable" });
		await expect(findEngine(await listen("garbage\r\n\r\n"))).rejects.toMatchObject({ code: "engine-unreachable" });
		await expect(findEngine(await listen(""))).rejects.toMatchObject({ code: "engine-unreachable" });
		const long = answerJson({ message: `\u001b[2J${"x".repeat(10_000)}` }, 500);
		const error = await findEngine(await listen(long)).catch((cause: Error) => cause);
		expect((error as Error).message.length).toBeLessThan(500);
		expect((error as Error).message).not.toContain("\u001b");
	});

	test("a full disk is told apart", async () => {
		const address = await listen(version, answerJson({ message: "mkdir /var/lib/docker: no space left on device" }, 500));
		await using engine = await connectEngine(address);
		await expect(engine.createContainer("a", {})).rejects.toMatchObject({ code: "disk-full" });
	});

	test.each([
		["a length of garbage", Buffer.from([1, 0, 0, 0, 0xff, 0xff, 0xff, 0xff]), "01000000ffffffff is not the header"],
		["an unknown stream", Buffer.from([9, 0, 0, 0, 0, 0, 0, 1, 65]), "0900000000000001 is not the header"],
		["text in place of frames", Buffer.from("HTTP/1.1"), "485454502f312e31 is not the header"],
		["an end inside a frame", Buffer.from([1, 0, 0, 0, 0, 0, 0, 9, 65]), "ended inside a frame of 8 more bytes"],
		["an end inside a header", Buffer.from([1, 0, 0]), "ended inside a frame"],
	])("streams with %s end in an error", async (_name, bytes, message) => {
		const upgrade = Buffer.from("HTTP/1.1 101 UPGRADED\r\nConnection: Upgrade\r\nUpgrade: tcp\r\n\r\n");
		await using engine = await connectEngine(await listen(version, Buffer.concat([upgrade, bytes])));
		await using streams = await engine.attach("a");
		const read = async () => {
			for await (const _ of streams.output);
		};
		await expect(read()).rejects.toThrow(message);
	});
});

const answerJson = (answer: object, status = 200): string => {
	const body = JSON.stringify(answer);
	return `HTTP/1.1 ${status} Answer\r\ncontent-type: application/json\r\ncontent-length: ${Buffer.byteLength(body)}\r\nconnection: close\r\n\r\n${body}`;
};

const version = answerJson({ Version: "24.0", ApiVersion: "1.43" });

/** Answers a ping as Docker, and then the connections that come, in turn, with these bytes; it hangs up after each. */
const listen = (...answers: readonly (string | Buffer)[]): Promise<string> => listenFor(answerJson({}), ...answers);

async function listenFor(...answers: readonly (string | Buffer)[]): Promise<string> {
	const { path, remove } = temporaryDirectory();
	const sockets = new Set<Socket>();
	const left = [...answers];
	const server: Server = createServer((socket) => {
		sockets.add(socket);
		socket.on("error", () => {});
		socket.once("data", () => socket.end(left.shift() ?? ""));
	}).listen(join(path, "s"));
	await once(server, "listening");
	onTestFinished(() => {
		for (const socket of sockets) socket.destroy();
		server.close();
		remove();
	});
	return `unix://${join(path, "s")}`;
}
