import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { realpath } from "node:fs/promises";
import type { Limits } from "../../contract/limits.ts";
import type { ScriptLanguage } from "../../script-language.ts";
import { requireUsableImage } from "./container-spec.ts";
import { type ContainerEngine, findEngine } from "./engine-client.ts";
import { EngineError } from "./engine-error.ts";
import { engineFiles, runsDirectory } from "./engine-files.ts";
import { findProbeImage, type IsolationReport, probeIsolation, requireIsolation } from "./isolation.ts";
import { languageImages } from "./language-images.ts";
import { RunUsers, type UserMapping } from "./run-users.ts";
import type { SlotMaker } from "./slot.ts";
import { SlotPool } from "./slot-pool.ts";
import { containerLabels, sweepContainers } from "./sweep.ts";

/** How an operator sets up containers. */
export interface ContainerSettings {
	/** Address of the engine; that of the environment, or a usual one, when not given. */
	readonly engine?: string;
	/** Images that runs may name, beside those of their languages. */
	readonly images?: readonly string[];
	/** What need not be kept apart (`cronium doctor` names it) where the engine cannot. */
	readonly allowMissing?: readonly string[];
	/**
	 * For engines that cannot mount a socket: the doors listen at an address, and containers get a network in which they reach it by `name`. They reach what else is in that network, too:
	 * it has to be asked for.
	 */
	readonly tcp?: { readonly host: string; readonly port: number; readonly name: string; readonly network: string };
}

export interface EngineOptions extends ContainerSettings {
	readonly dataDirectory: string;
	readonly hostId: string;
	readonly limits: Limits;
	/** The ids of the hosts of this data directory that live. */
	readonly liveHosts: () => Promise<readonly string[]>;
}

/** An engine that is ready for runs, and its waiting containers. */
export interface OpenedEngine extends AsyncDisposable {
	readonly pool: SlotPool;
	/** The id of the image for a script: the one that was named, or that of the language. Throws EngineError. */
	requireImage(language: ScriptLanguage, reference: string | undefined): Promise<string>;
}

/** Connects to the engine, removes what dead hosts have left in it, and checks that it keeps runs apart. Throws EngineError. */
export async function openEngine(options: EngineOptions): Promise<OpenedEngine> {
	await using opened = new AsyncDisposableStack();
	const engine = opened.use(await findEngine(options.engine));
	const installation = await installationId(options.dataDirectory);
	const directory = runsDirectory(options.dataDirectory);
	await sweepContainers(engine, { installation, directory, liveHosts: await options.liveHosts() });
	const image = await findProbeImage(engine, options.images);
	if (image === undefined) throw new EngineError("image-missing", describeMissing(engine, languageImages.bash));
	const report = await probeIsolation(engine, { dataDirectory: options.dataDirectory, image });
	requireIsolation(report, options.allowMissing ?? [], engine.address);
	const maker: SlotMaker = {
		engine,
		users: new RunUsers(userMapping(report)),
		directory,
		hostId: options.hostId,
		labels: { [containerLabels.installation]: installation, [containerLabels.host]: options.hostId },
		userNamespace: report.userNamespace,
		...engineFiles(engine, options.dataDirectory),
	};
	const pool = opened.use(new SlotPool(maker, options.limits.maxIdleContainers));
	const owned = opened.move();
	return {
		pool,
		async requireImage(language, reference = languageImages[language]) {
			const image = await engine.inspectImage(reference);
			if (!image) throw new EngineError("image-missing", describeMissing(engine, reference));
			requireUsableImage(image, reference);
			return image.id;
		},
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	};
}

/** Tells the containers of this data directory from those of others of the machine, also of a copy of it. */
async function installationId(dataDirectory: string): Promise<string> {
	const path = await realpath(dataDirectory);
	const { dev, ino } = statSync(path);
	return createHash("sha256").update(`${path}\0${dev}:${ino}`).digest("hex").slice(0, 32);
}

function describeMissing({ address }: ContainerEngine, reference: string): string {
	const isOwn = Object.values(languageImages).includes(reference);
	return `The container engine at ${address} has no image ${reference}.${isOwn ? " `cronium images build` makes it." : ""}`;
}

function userMapping({ userNamespace, guarantees }: IsolationReport): UserMapping {
	const isRoot = process.geteuid?.() === 0;
	if (userNamespace === "auto") return { isRoot, namespaces: "own" };
	const hasNamespace = guarantees.some(({ name, isKept }) => name === "user-namespace" && isKept);
	return { isRoot, namespaces: hasNamespace ? "shared" : "none" };
}
