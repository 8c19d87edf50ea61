import { createHash } from "node:crypto";
import { statSync } from "node:fs";
import { realpath } from "node:fs/promises";
import { join } from "node:path";
import type { Limits } from "../../contract/limits.ts";
import type { ScriptLanguage } from "../../script-language.ts";
import { requireUsableImage, type UserNamespace } from "./container-spec.ts";
import { type ContainerEngine, findEngine, type ImageInfo } from "./engine-client.ts";
import { EngineError } from "./engine-error.ts";
import { engineFiles } from "./engine-files.ts";
import { type IsolationReport, probeIsolation, requireIsolation } from "./isolation.ts";
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

/** An image that runs may have, and the containers of this engine that wait. */
export interface UsableImage {
	readonly id: string;
	readonly pool: SlotPool;
}

/** An engine that is ready for runs. */
export interface OpenedEngine extends AsyncDisposable {
	/**
	 * The image for a script: the one that was named, or that of the language. What the engine keeps of its isolation has been checked. Throws
	 * EngineError.
	 */
	requireImage(language: ScriptLanguage, reference: string | undefined): Promise<UsableImage>;
}

/** Connects to the engine, and removes what dead hosts have left in it. Throws EngineError. */
export async function openEngine(options: EngineOptions): Promise<OpenedEngine> {
	await using opened = new AsyncDisposableStack();
	const engine = opened.use(await findEngine(options.engine));
	const { hasUserNamespaces } = await engine.info();
	const installation = await installationId(options.dataDirectory);
	const directory = runsDirectory(options.dataDirectory);
	await sweepContainers(engine, { installation, directory, liveHosts: await options.liveHosts() });
	/** By how users are mapped, which is the same for all images of an engine unless the machine has run out of ids for some. */
	const pools = new Map<UserNamespace, SlotPool>();
	const checked = new Map<string, Promise<IsolationReport>>();
	const owned = opened.move();
	const poolOf = (userNamespace: UserNamespace): SlotPool => {
		let pool = pools.get(userNamespace);
		if (!pool) {
			const maker: SlotMaker = {
				engine,
				users: new RunUsers(userMapping(userNamespace, hasUserNamespaces)),
				directory,
				hostId: options.hostId,
				labels: { [containerLabels.installation]: installation, [containerLabels.host]: options.hostId },
				userNamespace,
				...engineFiles(engine, options.dataDirectory),
			};
			pool = owned.use(new SlotPool(maker, options.limits.maxIdleContainers));
			pools.set(userNamespace, pool);
		}
		return pool;
	};
	const check = ({ id }: ImageInfo, reference: string): Promise<IsolationReport> => {
		let report = checked.get(id);
		if (!report) {
			report = probeIsolation(engine, { dataDirectory: options.dataDirectory, image: reference });
			report.catch(() => checked.delete(id));
			checked.set(id, report);
		}
		return report;
	};
	return {
		async requireImage(language, reference = languageImages[language]) {
			const image = await engine.inspectImage(reference);
			if (!image) throw new EngineError("image-missing", describeMissing(engine, reference));
			requireUsableImage(image, reference);
			const report = await check(image, reference);
			requireIsolation(report, options.allowMissing ?? [], engine.address);
			return { id: image.id, pool: poolOf(report.userNamespace) };
		},
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	};
}

/** Where a data directory has the directories of its containers. */
export const runsDirectory = (dataDirectory: string): string => join(dataDirectory, "runs");

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

function userMapping(userNamespace: UserNamespace, hasUserNamespaces: boolean): UserMapping {
	const isRoot = process.geteuid?.() === 0;
	if (userNamespace === "auto") return { isRoot, namespaces: "own" };
	return { isRoot, namespaces: hasUserNamespaces ? "shared" : "none" };
}
