import type { ContainerEngine, ImageInfo } from "../executors/container/engine-client.ts";
import type { BaseImage } from "../images/build-image.ts";
import { type ImageName, imageLabel, imageNames, imageReference, isImageName } from "../images/images.ts";
import { type Command, type CommandGroup, type CommandLine, exitCodes, requireOperands, UsageError } from "./command.ts";
import { printJson, stringify } from "./json-print.ts";
import { containerEngineOption, jsonOption } from "./options.ts";
import { describeSize } from "./quantity.ts";
import { escapeText, formatTable, print } from "./terminal.ts";

const build: Command = {
	name: "cronium images build",
	operands: `[${imageNames.join("|")} …]`,
	summary: "Builds the images that scripts run in, all or the named ones, and prints their names and ids.",
	details:
		"By their Dockerfiles each needs its base, an image of Node, Python or Debian in a registry that the engine reaches, with its digest. --offline needs no registry and no network: it takes the programs of this machine, with the libraries that they need.",
	options: [
		{ name: "offline", description: "Out of this machine's own programs." },
		{
			name: "base",
			value: "IMAGE=[NAME@]DIGEST",
			repeats: true,
			description: "What an image is built from, such as bash=sha256:… or bash=mirror/debian@sha256:…",
		},
		containerEngineOption,
	],
	examples: ["cronium images build --offline", "cronium images build bash --base bash=debian@sha256:…"],
	async run(line) {
		const names = readNames(line);
		const bases = readBases(line.values("base"));
		const isOffline = line.flag("offline");
		if (isOffline && bases.size > 0)
			throw new UsageError("--offline and --base exclude each other: without a registry there is no base.");
		const missing = isOffline ? undefined : names.find((name) => !bases.has(name));
		if (missing)
			throw new UsageError(`--base ${missing}=DIGEST is missing, which ${missing} is built from; --offline needs none.`);

		await using engine = await findImageEngine(line);
		const { buildFromBase, buildOffline } = await import("../images/build-image.ts");
		const stop = new AbortController();
		const onSignal = (): void => stop.abort();
		for (const signal of ["SIGINT", "SIGTERM"] as const) process.once(signal, onSignal);
		try {
			for (const name of names) {
				const base = bases.get(name);
				process.stderr.write(
					`${imageReference(name)}: ${base ? `from ${base.name ?? ""}@${base.digest}` : "out of this machine's programs"}, by ${engine.kind} at ${escapeText(engine.address)}\n`,
				);
				const id = base ? await buildFromBase(engine, name, base, stop.signal) : await buildOffline(engine, name, stop.signal);
				print(`${imageReference(name)} ${id}\n`);
			}
		} catch (cause) {
			if (!stop.signal.aborted) throw cause;
			return exitCodes.cancelled;
		} finally {
			for (const signal of ["SIGINT", "SIGTERM"] as const) process.off(signal, onSignal);
		}
		return exitCodes.succeeded;
	},
};

const list: Command = {
	name: "cronium images list",
	operands: "",
	summary: "Lists the images that were built, of every version.",
	options: [containerEngineOption, jsonOption("Print a JSON array.")],
	examples: ["cronium images list"],
	async run(line) {
		requireOperands(line);
		await using engine = await findImageEngine(line);
		const images = await listImages(engine);
		if (line.flag("json"))
			printJson(
				stringify(
					images.map(({ labels, id, references, bytes, createdAt }) => ({
						image: labels[imageLabel],
						version: labels["cronium.version"],
						id,
						references,
						bytes,
						createdAt,
					})),
				),
			);
		else
			print(
				formatTable(
					["IMAGE", "VERSION", "SIZE", "MADE", "ID", "NAMES"],
					images.map(({ labels, id, references, bytes, createdAt }) => [
						labels[imageLabel] ?? "",
						labels["cronium.version"] ?? "",
						describeSize(bytes),
						createdAt.replace(/\.\d+/, ""),
						id.replace(/^sha256:/, "").slice(0, 12),
						references.join(" "),
					]),
				),
			);
		return exitCodes.succeeded;
	},
};

const remove: Command = {
	name: "cronium images remove",
	operands: `[${imageNames.join("|")} …]`,
	summary: "Removes the images that were built, all or the named ones, of every version, and prints their ids.",
	options: [containerEngineOption],
	examples: ["cronium images remove", "cronium images remove python"],
	async run(line) {
		const names: readonly string[] = readNames(line);
		await using engine = await findImageEngine(line);
		for (const { id, labels } of await listImages(engine)) {
			if (!names.includes(labels[imageLabel] ?? "")) continue;
			await engine.removeImage(id);
			print(`${id}\n`);
		}
		return exitCodes.succeeded;
	},
};

export const group: CommandGroup = {
	name: "cronium images",
	summary: "Images that scripts run in.",
	commands: { build, list, remove },
};

async function findImageEngine(line: CommandLine): Promise<ContainerEngine> {
	const { findEngine } = await import("../executors/container/engine-client.ts");
	return await findEngine(line.value("container-engine"));
}

async function listImages(engine: ContainerEngine): Promise<readonly ImageInfo[]> {
	const images = await engine.listImages(imageLabel);
	const order = ({ labels, createdAt }: ImageInfo): string => `${labels[imageLabel]} ${createdAt}`;
	return [...images].sort((a, b) => (order(a) < order(b) ? -1 : 1));
}

function readNames({ operands }: CommandLine): readonly ImageName[] {
	return operands.length === 0 ? imageNames : [...new Set(operands.map(requireName))];
}

function requireName(name: string): ImageName {
	if (isImageName(name)) return name;
	throw new UsageError(`There is no image ${JSON.stringify(name)}; there are ${imageNames.join(", ")}.`);
}

function readBases(values: readonly string[]): ReadonlyMap<ImageName, BaseImage> {
	const bases = new Map<ImageName, BaseImage>();
	for (const value of values) {
		const [, image = "", name, digest = ""] = /^([^=]*)=(?:([\w][\w./:-]*)@)?(sha256:[0-9a-f]{64})$/.exec(value) ?? [];
		if (digest === "")
			throw new UsageError(
				`--base is ${JSON.stringify(value)}; it must be IMAGE=DIGEST or IMAGE=NAME@DIGEST, the digest sha256: and 64 hexadecimal digits.`,
			);
		const known = requireName(image);
		if (bases.has(known)) throw new UsageError(`--base ${known} is given more than once.`);
		bases.set(known, { ...(name !== undefined && { name }), digest });
	}
	return bases;
}
