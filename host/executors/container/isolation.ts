import { createHash, randomUUID } from "node:crypto";
import { statSync } from "node:fs";
import { join } from "node:path";
import { RuntimeError } from "../../contract/errors.ts";
import { excerpt } from "../../contract/excerpt.ts";
import {
	type ContainerLimits,
	type ContainerOptions,
	containerSpec,
	requireUsableImage,
	type UserNamespace,
} from "./container-spec.ts";
import type { ContainerEngine, EngineInfo, ImageInfo } from "./engine-client.ts";
import { EngineError } from "./engine-error.ts";
import { engineFiles, engineFilesDirectory, keepFile, readIfThere } from "./engine-files.ts";
import { IsolationFacts, type Shortcoming } from "./isolation-facts.ts";
import { isolationProbe, readProbe } from "./isolation-probe.ts";
import { languageImages } from "./language-images.ts";
import { seccompProfileHash } from "./seccomp.ts";

/** What is promised of a container, and how each is found out. */
const guarantees = {
	"user-namespace": (facts) => facts.userNamespace(),
	"non-root": (facts) => facts.nonRoot(),
	capabilities: (facts) => facts.capabilities(),
	"no-new-privileges": (facts) => facts.noNewPrivileges(),
	seccomp: (facts) => facts.seccomp(),
	"read-only-root": (facts) => facts.readOnlyRoot(),
	"writable-places": (facts) => facts.writablePlaces(),
	"kernel-interfaces": (facts) => facts.kernelInterfaces(),
	"network-none": (facts) => facts.networkNone(),
	"memory-limit": (facts) => facts.memoryLimit(),
	"cpu-limit": (facts) => facts.cpuLimit(),
	"pids-limit": (facts) => facts.pidsLimit(),
	"open-files-limit": (facts) => facts.openFilesLimit(),
	"core-and-queue-limits": (facts) => facts.coreAndQueueLimits(),
	"tmpfs-bytes": (facts) => facts.tmpfsBytes(),
	"tmpfs-inodes": (facts) => facts.tmpfsInodes(),
	init: (facts) => facts.init(),
	"host-facts": (facts) => facts.hostFacts(),
} as const satisfies Readonly<Record<string, (facts: IsolationFacts) => Shortcoming>>;

export type GuaranteeName = keyof typeof guarantees;

export const guaranteeNames = Object.keys(guarantees) as readonly GuaranteeName[];

/** Kept where the engine has it; without it, root in a container would be root of the machine, but no run is root. */
const optional: readonly GuaranteeName[] = ["user-namespace"];

export interface Guarantee {
	readonly name: GuaranteeName;
	readonly isKept: boolean;
	readonly isRequired: boolean;
	/** Why it is not kept. */
	readonly reason?: string;
}

export interface IsolationReport {
	readonly guarantees: readonly Guarantee[];
	/** What runs have to be made with, as it was found to work. */
	readonly userNamespace: UserNamespace;
	readonly image: string;
	readonly checkedAt: string;
}

/** An image that the engine has, with the name by which it was found. */
export interface NamedImage extends ImageInfo {
	readonly reference: string;
}

/** Undefined when the engine has no image of this name. */
export async function findImage(engine: ContainerEngine, reference: string): Promise<NamedImage | undefined> {
	const image = await engine.inspectImage(reference);
	return image && { ...image, reference };
}

/** An image to look at the engine with: one of the languages' or of the operator's that is there. */
export async function findProbeImage(engine: ContainerEngine, others: readonly string[] = []): Promise<NamedImage | undefined> {
	for (const reference of new Set([languageImages.bash, ...Object.values(languageImages), ...others])) {
		const image = await findImage(engine, reference);
		if (image) return image;
	}
	return undefined;
}

export interface ProbeOptions {
	readonly dataDirectory: string;
	readonly image: NamedImage;
	/** By which the next host finds the container when this one dies meanwhile. */
	readonly labels?: Readonly<Record<string, string>>;
}

/**
 * Finds out, in a container of this image, what the engine keeps of what was asked of it. The answer is kept in the data directory until something
 * changes that it could depend on. Throws EngineError when no run may have the image or no container can be run.
 */
export async function probeIsolation(
	engine: ContainerEngine,
	{ dataDirectory, image, labels = {} }: ProbeOptions,
): Promise<IsolationReport> {
	requireUsableImage(image, image.reference);
	const info = await engine.info();
	const files = engineFiles(engine, dataDirectory);
	const key = circumstances(engine, info, image, files);
	const directory = engineFilesDirectory(dataDirectory);
	const name = `isolation-${hash(`${info.id} ${image.reference}`).slice(0, 16)}.json`;
	const kept = readKept(join(directory, name));
	if (kept?.key === key) return kept.report;
	const report = await probe(engine, info, image, { ...files, labels });
	keepFile(directory, name, JSON.stringify({ key, report }));
	return report;
}

/** Throws `invalid` for a name that is none of a guarantee, which would allow nothing. */
export function requireGuaranteeNames(names: readonly string[]): void {
	const unknown = names.find((name) => !(guaranteeNames as readonly string[]).includes(name));
	if (unknown === undefined) return;
	throw new RuntimeError(
		"invalid",
		`${excerpt(unknown)} cannot be allowed to be missing: it is none of ${guaranteeNames.join(", ")}.`,
	);
}

/** The required guarantees that are not kept, and that the operator has not allowed to be missing, by their names. */
export function missingGuarantees({ guarantees }: IsolationReport, allowedToMiss: readonly string[]): readonly Guarantee[] {
	return guarantees.filter(({ name, isKept, isRequired }) => isRequired && !isKept && !allowedToMiss.includes(name));
}

/** Throws EngineError when there are any. */
export function requireIsolation(report: IsolationReport, allowedToMiss: readonly string[], address: string): void {
	const missing = missingGuarantees(report, allowedToMiss);
	if (missing.length === 0) return;
	const list = missing.map(({ name, reason }) => `${name} (${reason})`).join(", ");
	throw new EngineError(
		"isolation-missing",
		`${address} does not keep ${list}. cronium doctor shows it; --container-allow with its name runs scripts all the same.`,
	);
}

type Files = Pick<ContainerOptions, "seccomp" | "hosts"> & Partial<Pick<ContainerOptions, "labels">>;

/** Tries user namespaces from the best one down, because only trying shows whether the machine has ids for them. */
async function probe(engine: ContainerEngine, info: EngineInfo, image: NamedImage, files: Files): Promise<IsolationReport> {
	const best: UserNamespace = engine.kind === "docker" ? "engine" : info.isRootless ? "keep-id" : "auto";
	let refused: string | undefined;
	let userNamespace = best;
	let facts: IsolationFacts;
	try {
		facts = await look(engine, image, files, best);
	} catch (cause) {
		if (best === "engine" || !(cause instanceof EngineError) || cause.code !== "engine-error") throw cause;
		refused = cause.message;
		userNamespace = "engine";
		facts = await look(engine, image, files, userNamespace);
	}
	return {
		guarantees: guaranteeNames.map((name) => {
			const shortcoming = guarantees[name](facts);
			const reason = name === "user-namespace" && shortcoming && refused ? `${shortcoming}: ${refused}` : shortcoming;
			return {
				name,
				isKept: reason === undefined,
				isRequired: !optional.includes(name),
				...(reason !== undefined && { reason }),
			};
		}),
		userNamespace,
		image: image.reference,
		checkedAt: new Date().toISOString(),
	};
}

/** Small, so that they are reached quickly. */
const limits: ContainerLimits = {
	memoryBytes: 32 * 1024 * 1024,
	cpuThousandths: 500,
	maxProcesses: 32,
	maxOpenFiles: 64,
	work: { bytes: 256 * 1024, inodes: 64 },
	temporary: { bytes: 256 * 1024, inodes: 64 },
};
const user = { uid: 1_000, gid: 1_000 };
const variable = "CRONIUM_PROBE";
const probeText = isolationProbe(limits.work.inodes, limits.work.bytes / 4096);
const timeoutMs = 30_000;
const maxAnswerBytes = 1024 * 1024;

function probeOptions(image: string, files: Files, userNamespace: UserNamespace): ContainerOptions {
	return {
		image,
		user: userNamespace === "keep-id" ? ownUser() : user,
		command: ["/bin/sh", "-c", probeText],
		environment: { [variable]: "1" },
		limits,
		network: "none",
		userNamespace,
		...files,
		labels: { ...files.labels, "cronium.probe": "isolation" },
	};
}

const ownUser = (): typeof user => ({ uid: process.getuid?.() ?? user.uid, gid: process.getgid?.() ?? user.gid });

async function look(
	engine: ContainerEngine,
	image: NamedImage,
	files: Files,
	userNamespace: UserNamespace,
): Promise<IsolationFacts> {
	const options = probeOptions(image.id, files, userNamespace);
	const id = await engine.createContainer(`cronium-probe-${randomUUID()}`, containerSpec(engine, options));
	try {
		await using streams = await engine.attach(id);
		const answer = readAnswer(streams.output, engine.address);
		// It is awaited below; if starting fails first, nobody has to hear of it.
		answer.catch(() => {});
		await engine.startContainer(id);
		streams.input.end();
		const timer = setTimeout(() => void engine.killContainer(id, "KILL").catch(() => {}), timeoutMs);
		try {
			const facts = await answer;
			if (facts === "")
				throw new EngineError(
					"image-unusable",
					`The image ${image.reference} has no shell that works, /bin/sh, which its containers need.`,
				);
			return new IsolationFacts(facts, {
				limits,
				user: options.user,
				hostname: "run",
				environment: [variable, "TMPDIR", ...image.environment.map((line) => line.split("=", 1)[0] as string)],
				isPodman: engine.kind === "podman",
			});
		} finally {
			clearTimeout(timer);
		}
	} finally {
		await engine.removeContainer(id);
	}
}

async function readAnswer(
	output: AsyncIterable<{ readonly source: "stdout" | "stderr"; readonly bytes: Buffer }>,
	address: string,
): Promise<string> {
	const chunks: Buffer[] = [];
	let bytes = 0;
	for await (const piece of output) {
		if (piece.source === "stderr") continue;
		bytes += piece.bytes.length;
		if (bytes > maxAnswerBytes)
			throw new EngineError("engine-error", `${address}: The probe answered more than ${maxAnswerBytes} bytes.`);
		chunks.push(piece.bytes);
	}
	return Buffer.concat(chunks).toString();
}

/** Everything that the answer could depend on, ours and the engine's. */
function circumstances(engine: ContainerEngine, info: EngineInfo, image: ImageInfo, files: Files): string {
	// Not its address, which is another each time when Podman is started for a run.
	const { kind, version, apiVersion } = engine;
	// Nor where the data directory is, in which Podman finds two of them.
	const contents = { seccomp: seccompProfileHash, hosts: readIfThere(files.hosts ?? "") ?? "" };
	const bodies = (["auto", "keep-id", "engine"] as const).map((mode) => containerSpec(engine, probeOptions("", contents, mode)));
	const machine = ["/proc/sys/kernel/random/boot_id", "/etc/subuid", "/etc/subgid"].map(readIfThere);
	// Podman does not say which version its runtime has.
	const runtime = info.runtimePath?.startsWith("/") ? statSync(info.runtimePath, { throwIfNoEntry: false }) : undefined;
	const judgement = Object.values(guarantees).map(String).concat(String(IsolationFacts), String(readProbe));
	return hash(
		JSON.stringify([kind, version, apiVersion, info, image.id, bodies, machine, runtime?.size, runtime?.mtimeMs, judgement]),
	);
}

function readKept(path: string): { readonly key: string; readonly report: IsolationReport } | undefined {
	try {
		return JSON.parse(readIfThere(path) ?? "") as { key: string; report: IsolationReport };
	} catch {
		// Not there, or cut off: looking again makes another.
		return undefined;
	}
}

const hash = (text: string): string => createHash("sha256").update(text).digest("hex");
