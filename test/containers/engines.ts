import {
	copyFileSync,
	createReadStream,
	createWriteStream,
	existsSync,
	mkdirSync,
	readdirSync,
	readFileSync,
	renameSync,
	writeFileSync,
} from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { setTimeout as sleep } from "node:timers/promises";
import { type ContainerEngine, connectEngine } from "../../host/executors/container/engine-client.ts";
import { buildOffline } from "../../host/images/build-image.ts";
import { type ImageName, imageInstructions, imageNames, imageReference } from "../../host/images/images.ts";
import { engineObstacle, startEngine } from "./engine-process.ts";

/** The engines that tests run containers with. */
export const engineKinds = ["docker", "podman"] as const;
export type EngineKind = (typeof engineKinds)[number];

/** Where the engines of this run of the suite are; test/setup.ts makes it, and stops what is in it. */
export const enginesVariable = "CRONIUM_TEST_ENGINES";

export type FoundEngine = { readonly address: string } | { readonly missing: string };

/**
 * The address of an engine that has these images of this version, for the whole suite; or why there is none, which in continuous integration is an
 * error. The first test that asks starts the engine, and builds an image; others wait for it, in whichever process they are.
 * An engine that somebody has started is taken instead when CRONIUM_TEST_DOCKER or CRONIUM_TEST_PODMAN is its address.
 */
export async function findTestEngine(kind: EngineKind, images: readonly ImageName[] = imageNames): Promise<FoundEngine> {
	const directory = process.env[enginesVariable];
	if (directory === undefined) throw new Error(`${enginesVariable} is not set: tests of engines are run by vitest.`);
	const found = await once(directory, `${kind}.engine`, async (): Promise<FoundEngine> => {
		const given = process.env[`CRONIUM_TEST_${kind.toUpperCase()}`];
		if (given) return { address: given };
		const missing = engineObstacle(kind);
		if (missing !== undefined) return { missing };
		return { address: (await startEngine(kind, join(directory, kind))).address };
	});
	if ("missing" in found) {
		if (process.env.CI) throw new Error(`The tests need ${kind}: ${found.missing}.`);
		return found;
	}
	for (const image of images)
		await once(directory, `${kind}.${image}`, async () => {
			await using engine = await connectEngine(found.address);
			return await importTestImage(engine, image);
		});
	return found;
}

/** Gives an engine an image of this version, which is built once for the whole suite. */
export async function importTestImage(engine: ContainerEngine, image: ImageName): Promise<string> {
	const directory = process.env[enginesVariable] as string;
	const archive = await once(directory, image, () => pack(image, join(directory, `${image}.tar`)));
	return await engine.importImage(createReadStream(archive), imageReference(image), { changes: imageInstructions(image) });
}

/** Puts what the suite has found out about its engines into a new data directory. */
export function takeKnownIsolation(dataDirectory: string): void {
	copyIsolation(join(process.env[enginesVariable] as string, "isolation"), join(dataDirectory, "engines"));
}

/** Keeps what has been found out with a data directory. */
export function keepKnownIsolation(dataDirectory: string): void {
	copyIsolation(join(dataDirectory, "engines"), join(process.env[enginesVariable] as string, "isolation"));
}

function copyIsolation(from: string, to: string): void {
	if (!existsSync(from)) return;
	mkdirSync(to, { recursive: true, mode: 0o700 });
	for (const name of readdirSync(from).filter((name) => /^isolation-.*\.json$/.test(name))) {
		const draft = join(to, `.${process.pid}-${name}`);
		copyFileSync(join(from, name), draft);
		renameSync(draft, join(to, name));
	}
}

/** Builds an image into a file, as every engine gets it. */
async function pack(image: ImageName, file: string): Promise<string> {
	const engine = {
		importImage: async (tar: Readable) => {
			await pipeline(tar, createWriteStream(file));
			return file;
		},
	};
	return await buildOffline(engine, image, AbortSignal.timeout(waitMs));
}

const waitMs = 240_000;

/** Does something once for all processes of the suite. Who comes later waits, and gets the same answer or failure. */
async function once<Result>(directory: string, name: string, make: () => Promise<Result>): Promise<Result> {
	const path = join(directory, `${name}.json`);
	if (takeTurn(join(directory, `${name}.turn`))) {
		const answer = await make().then(
			(result) => ({ result }),
			(cause: unknown) => ({ failure: String((cause as Error).message) }),
		);
		writeFileSync(`${path}.draft`, JSON.stringify(answer));
		renameSync(`${path}.draft`, path);
	}
	for (const end = Date.now() + waitMs; !existsSync(path); await sleep(25))
		if (Date.now() > end) throw new Error(`${name} was not made within ${waitMs} ms.`);
	const answer = JSON.parse(readFileSync(path, "utf8")) as { readonly result: Result } | { readonly failure: string };
	if ("failure" in answer) throw new Error(`${name}: ${answer.failure}`);
	return answer.result;
}

function takeTurn(path: string): boolean {
	try {
		mkdirSync(path);
		return true;
	} catch (cause) {
		if ((cause as NodeJS.ErrnoException).code === "EEXIST") return false;
		throw cause;
	}
}
