import { type ContainerEngine, findEngine } from "../host/executors/container/engine-client.ts";
import { EngineError } from "../host/executors/container/engine-error.ts";
import { buildOffline } from "../host/images/build-image.ts";
import { type ImageName, imageReference } from "../host/images/images.ts";

/** The engine that runs would take, with our images; undefined where there is none. */
export async function openBenchEngine(images: readonly ImageName[]): Promise<ContainerEngine | undefined> {
	await using opened = new AsyncDisposableStack();
	let engine: ContainerEngine;
	try {
		engine = opened.use(await findEngine());
	} catch (cause) {
		if (cause instanceof EngineError && cause.code === "engine-missing") return undefined;
		throw cause;
	}
	for (const image of images)
		if (!(await engine.inspectImage(imageReference(image)))) await buildOffline(engine, image, new AbortController().signal);
	opened.move();
	return engine;
}
