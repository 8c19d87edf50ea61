import { join } from "node:path";
import { fileURLToPath } from "node:url";
import packageFile from "../../package.json" with { type: "json" };
import type { ContainerEngine } from "../executors/container/engine-client.ts";
import { programFiles } from "../program-files.ts";
import { type ImageName, imageInstructions, imageReference } from "./images.ts";
import { createOfflineRoot } from "./offline-root.ts";
import { RootTree } from "./root-tree.ts";
import { addSdk } from "./sdk-files.ts";
import { packTree } from "./tree-archive.ts";
import { type Workplace, withWorkplace } from "./workplace.ts";

/** An image of a registry, by its digest: what a name alone leads to changes. */
export interface BaseImage {
	/** The Dockerfile's own when not given. */
	readonly name?: string;
	/** `sha256:…` */
	readonly digest: string;
}

/** Builds an image out of this machine's programs. Returns its id. */
export function buildOffline(
	engine: Pick<ContainerEngine, "importImage">,
	name: ImageName,
	signal: AbortSignal,
): Promise<string> {
	return withWorkplace(signal, async (workplace) => {
		const tree = await createOfflineRoot(name, workplace);
		signal.throwIfAborted();
		return await engine.importImage(packTree(tree, signal), imageReference(name), { changes: imageInstructions(name) });
	});
}

/** Lets the engine build an image by its Dockerfile, which takes packages and the base from where the engine gets them. Returns its id. */
export function buildFromBase(
	engine: Pick<ContainerEngine, "buildImage">,
	name: ImageName,
	base: BaseImage,
	signal: AbortSignal,
): Promise<string> {
	return withWorkplace(signal, async (workplace) =>
		engine.buildImage(packTree(await createContext(name, workplace), signal), {
			reference: imageReference(name),
			dockerfile: `images/${name}/Dockerfile`,
			arguments: {
				...(base.name !== undefined && { BASE: base.name }),
				BASE_DIGEST: base.digest,
				CRONIUM_VERSION: packageFile.version,
			},
			signal,
		}),
	);
}

/** What a Dockerfile copies from: a part of the package, under the same paths. */
async function createContext(name: ImageName, workplace: Workplace): Promise<RootTree> {
	const tree = new RootTree();
	for (const file of [`${name}/Dockerfile`, "harden.sh"])
		tree.addFile(`images/${file}`, join(fileURLToPath(programFiles.dockerfiles), file));
	await addSdk(
		tree,
		name,
		{ node: "guest-sdks/js", python: "guest-sdks/python/cronium", bash: "guest-sdks/bash/cronium.sh" }[name],
		workplace,
	);
	return tree;
}
