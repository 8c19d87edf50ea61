import type { Limits } from "../../contract/limits.ts";
import { imageNames, imageReference } from "../../images/images.ts";
import { installationId } from "../../installation.ts";
import type { ScriptLanguage } from "../../script-language.ts";
import type { UserNamespace } from "./container-spec.ts";
import { type ContainerEngine, findEngine } from "./engine-client.ts";
import { EngineError } from "./engine-error.ts";
import { engineFiles, runsDirectory } from "./engine-files.ts";
import {
	findImage,
	findProbeImage,
	type IsolationReport,
	type NamedImage,
	probeIsolation,
	requireIsolation,
} from "./isolation.ts";
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
	 * Called when the engine does not have the image of a language, which is then built out of this machine's programs. Without it, nothing is built and the
	 * run fails.
	 */
	readonly onImageMissing?: (reference: string) => void;
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
	/** Whether Podman is started where no engine listens. */
	readonly mayStart: boolean;
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
	/** Checks what the engine keeps of the isolation of runs, with an image that it has, if it has one: ahead of the first run. Throws EngineError. */
	check(): Promise<void>;
	/**
	 * The image for a script: the one that was named, or that of the language. What the engine keeps of its isolation has been checked. Throws
	 * EngineError.
	 */
	requireImage(language: ScriptLanguage, reference: string | undefined): Promise<UsableImage>;
}

/** Connects to the engine, and removes what dead hosts have left in it. Throws EngineError. */
export async function openEngine(options: EngineOptions): Promise<OpenedEngine> {
	await using opened = new AsyncDisposableStack();
	const engine = opened.use(await findEngine(options.engine, options));
	const installation = await installationId(options.dataDirectory);
	const directory = runsDirectory(options.dataDirectory);
	const labels = { [containerLabels.installation]: installation, [containerLabels.host]: options.hostId };
	await sweepContainers(engine, { installation, directory, liveHosts: options.liveHosts });
	/** By how users are mapped, which is the same for all images of an engine unless the machine has run out of ids for some. */
	const pools = new Map<UserNamespace, SlotPool>();
	const checked = new Map<string, Promise<IsolationReport>>();
	/** Once for an image: it may take away what the engine keeps, a place to write for example. */
	const check = async (image: NamedImage): Promise<IsolationReport> => {
		let checking = checked.get(image.id);
		if (!checking) {
			checking = probeIsolation(engine, { dataDirectory: options.dataDirectory, image, labels });
			checking.catch(() => checked.delete(image.id));
			checked.set(image.id, checking);
		}
		const report = await checking;
		requireIsolation(report, options.allowMissing ?? [], engine.address);
		return report;
	};
	const making = new Map<string, Promise<void>>();
	/** Once for all runs that wait for it: a build takes seconds and all of the disk. */
	const make = async (reference: string): Promise<NamedImage | undefined> => {
		const name = imageNames.find((one) => imageReference(one) === reference);
		if (name === undefined || !options.onImageMissing) return undefined;
		let building = making.get(reference);
		if (!building) {
			options.onImageMissing(reference);
			building = import("../../images/build-image.ts")
				.then(({ buildOffline }) => buildOffline(engine, name, new AbortController().signal))
				.then(() => undefined)
				.finally(() => making.delete(reference));
			making.set(reference, building);
		}
		await building;
		return await findImage(engine, reference);
	};
	const owned = opened.move();
	const poolOf = (report: IsolationReport): SlotPool => {
		const { userNamespace } = report;
		let pool = pools.get(userNamespace);
		if (!pool) {
			const maker: SlotMaker = {
				engine,
				users: new RunUsers(userMapping(engine, report)),
				directory,
				hostId: options.hostId,
				labels,
				userNamespace,
				unremoved: new Set(),
				...engineFiles(engine, options.dataDirectory),
			};
			pool = owned.use(new SlotPool(maker, options.limits.maxIdleContainers));
			pools.set(userNamespace, pool);
		}
		return pool;
	};
	return {
		async check() {
			const image = await findProbeImage(engine, options.images);
			if (image) await check(image);
		},
		async requireImage(language, reference = languageImages[language]) {
			const image = (await findImage(engine, reference)) ?? (await make(reference));
			if (!image) throw new EngineError("image-missing", describeMissing(engine, reference));
			return { id: image.id, pool: poolOf(await check(image)) };
		},
		[Symbol.asyncDispose]: () => owned.disposeAsync(),
	};
}

function describeMissing({ address }: ContainerEngine, reference: string): string {
	const isOwn = Object.values(languageImages).includes(reference);
	return `The container engine at ${address} has no image ${reference}.${isOwn ? " `cronium images build` makes it." : ""}`;
}

/** Throws EngineError when the users of runs are others than this process can give files to. */
function userMapping({ address }: ContainerEngine, { userNamespace, guarantees }: IsolationReport): UserMapping {
	const isRoot = process.geteuid?.() === 0;
	if (userNamespace === "auto") return { isRoot, namespaces: "own" };
	const hasNamespace = guarantees.some(({ name, isKept }) => name === "user-namespace" && isKept);
	if (!isRoot && userNamespace === "engine" && hasNamespace)
		throw new EngineError(
			"engine-error",
			`The container engine at ${address} maps users of containers to others (userns-remap, or rootless Docker), to whom only root can give files. Run the host as root, or use rootless Podman.`,
		);
	return { isRoot, namespaces: hasNamespace ? "shared" : "none" };
}
