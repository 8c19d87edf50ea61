import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ContainerEngine, connectEngine } from "../../host/executors/container/engine-client.ts";
import {
	findImage,
	guaranteeNames,
	type IsolationReport,
	type NamedImage,
	probeIsolation,
	requireGuaranteeNames,
	requireIsolation,
} from "../../host/executors/container/isolation.ts";
import { imageReference } from "../../host/images/images.ts";
import { temporaryDirectory } from "../store/directory.ts";
import { engineKinds, findTestEngine } from "./engines.ts";
import { options, runContainer, smallLimits } from "./run-container.ts";

const imageOf = async (engine: ContainerEngine) => (await findImage(engine, imageReference("bash"))) as NamedImage;
const missing = (report: IsolationReport): readonly string[] =>
	report.guarantees.filter(({ isKept }) => !isKept).map(({ name }) => name);

describe.each(engineKinds)("%s", async (kind) => {
	const found = await findTestEngine(kind, ["bash"]);
	if ("missing" in found) {
		test.skip(found.missing, () => {});
		return;
	}
	let engine: ContainerEngine;
	let image: NamedImage;
	const { path: directory, remove } = temporaryDirectory();
	beforeAll(async () => {
		engine = await connectEngine(found.address);
		image = await imageOf(engine);
	});
	afterAll(async () => {
		await engine[Symbol.asyncDispose]();
		remove();
	});

	test("keeps everything that is promised, user namespaces too", async () => {
		const report = await probeIsolation(engine, { dataDirectory: directory, image });
		expect(report.guarantees.filter(({ isKept }) => !isKept)).toEqual([]);
		expect(report.guarantees.map(({ name }) => name)).toEqual(guaranteeNames);
		expect(report.userNamespace).toBe(kind === "podman" ? "auto" : "engine");
		expect(() => requireIsolation(report, [], engine.address)).not.toThrow();
		expect(await engine.listContainers({ "cronium.probe": "isolation" })).toEqual([]);
	});

	test("is looked at once, and again when something has changed that counts", async () => {
		const first = await probeIsolation(engine, { dataDirectory: directory, image });
		expect(await probeIsolation(engine, { dataDirectory: directory, image })).toEqual(first);
		const other = altered(engine, { info: async () => ({ ...(await engine.info()), securityOptions: [] }) });
		expect((await probeIsolation(other, { dataDirectory: directory, image })).checkedAt).not.toBe(first.checkedAt);
	});

	test("a container that fills its memory with empty files is stopped by its memory limit", async () => {
		const limits = { ...smallLimits, memoryBytes: 16 * 1024 * 1024, work: { bytes: 8 * 1024 * 1024, inodes: 1_000_000 } };
		const command = ["bash", "-c", "n=0; while : > /work/$n; do n=$((n + 1)); if ((n % 1000 == 0)); then echo $n; fi; done"];
		const end = await runContainer(engine, { ...options(engine, directory, command), limits });
		const files = Number(end.stdout.trim().split("\n").at(-1));
		expect(files).toBeGreaterThanOrEqual(1_000);
		expect(files).toBeLessThan(100_000);
		expect(end.code).not.toBe(0);
	});
});

describe("what an engine does not keep", async () => {
	const found = await findTestEngine("docker", ["bash"]);
	if ("missing" in found) {
		test.skip(found.missing, () => {});
		return;
	}
	const { path: dataDirectory, remove } = temporaryDirectory();
	afterAll(remove);

	/** A container that has been given nothing of what was asked for, as by an engine that overlooks it. */
	test("is found out, each guarantee by itself", async () => {
		await using engine = await connectEngine(found.address);
		const careless = altered(engine, {
			createContainer: (name: string, body: object) =>
				engine.createContainer(name, {
					...body,
					User: "0:0",
					Hostname: "other",
					Env: ["AWS_SECRET_ACCESS_KEY=1"],
					NetworkDisabled: false,
					HostConfig: {
						SecurityOpt: ["seccomp=unconfined"],
						MaskedPaths: [],
						ReadonlyPaths: [],
						UsernsMode: "host",
						NetworkMode: "host",
						Tmpfs: { "/work": "exec", "/tmp": "exec" },
						Ulimits: [{ Name: "core", Soft: 1, Hard: 1 }],
					},
				}),
		});
		const report = await probeIsolation(careless, { dataDirectory, image: await imageOf(careless) });
		expect(missing(report)).toEqual(guaranteeNames);
		expect(() => requireIsolation(report, [], found.address)).toThrow(/does not keep non-root \(Uid is 0 .*seccomp \(no filter/);
		expect(() => requireIsolation(report, guaranteeNames.slice(0, -1), found.address)).toThrow(
			`${found.address} does not keep host-facts (`,
		);
		expect(() => requireIsolation(report, guaranteeNames, found.address)).not.toThrow();
		expect(() => requireGuaranteeNames(guaranteeNames)).not.toThrow();
		expect(() => requireGuaranteeNames([...guaranteeNames, "seccmp"])).toThrow('"seccmp" cannot be allowed');
	});

	test("runs start without a user namespace, which Docker has by its configuration only, and it is said", async () => {
		await using engine = await connectEngine(found.address);
		const plain = altered(engine, {
			createContainer: (name: string, body: object) => {
				const { HostConfig } = body as { readonly HostConfig: object };
				return engine.createContainer(name, { ...body, HostConfig: { ...HostConfig, UsernsMode: "host" } });
			},
			info: async () => ({ ...(await engine.info()), hasUserNamespaces: false }),
		});
		const report = await probeIsolation(plain, { dataDirectory, image: await imageOf(plain) });
		expect(missing(report)).toEqual(["user-namespace"]);
		expect(() => requireIsolation(report, [], engine.address)).not.toThrow();
	});
});

/** The engine with something about it changed; its containers are real. */
function altered(engine: ContainerEngine, changes: Partial<ContainerEngine>): ContainerEngine {
	return new Proxy(engine, {
		get(target, name) {
			const value = Reflect.get({ ...changes }, name) ?? Reflect.get(target, name, target);
			return typeof value === "function" ? value.bind(target) : value;
		},
	});
}
