import { existsSync } from "node:fs";
import type { ContainerEngine, EngineInfo } from "../executors/container/engine-client.ts";
import type { Guarantee } from "../executors/container/isolation.ts";
import { type Command, type CommandLine, exitCodes, requireOperands } from "./command.ts";
import { resolveDataDirectory } from "./data-directory.ts";
import { printJson, stringify } from "./json-print.ts";
import { containerOptions, dataOption, jsonOption } from "./options.ts";
import { escapeText, formatTable, print } from "./terminal.ts";

/** What was found out about this machine. */
interface Findings {
	readonly node: string;
	readonly dataDirectory: { readonly path: string; readonly exists: boolean };
	readonly engine?: Pick<ContainerEngine, "kind" | "version" | "apiVersion" | "address"> & Omit<EngineInfo, "id">;
	readonly images?: Readonly<Record<string, boolean>>;
	readonly userNamespace?: string;
	readonly guarantees?: readonly (Guarantee & { readonly isAllowed: boolean })[];
	/** What is in the way of containers, with a code where an engine said it. */
	readonly problems: readonly { readonly code?: string; readonly message: string }[];
	/** What would be better. */
	readonly hints: readonly string[];
}

export const command: Command = {
	name: "cronium doctor",
	operands: "",
	summary: "Says whether scripts can run in containers here, and what the container engine keeps of what is asked of it.",
	details:
		"It runs a container with the options of every run and looks from inside of it. The sandbox needs none of this. Exit code 0: containers can run; 1: they cannot.",
	options: [...containerOptions, dataOption, jsonOption("Print a JSON object.")],
	examples: ["cronium doctor", "cronium doctor --container-engine unix:///run/podman/podman.sock --json"],
	async run(line) {
		requireOperands(line);
		const findings = await examine(line);
		if (line.flag("json")) printJson(stringify({ canRunContainers: findings.problems.length === 0, ...findings }));
		else print(describe(findings));
		return findings.problems.length === 0 ? exitCodes.succeeded : exitCodes.failed;
	},
};

async function examine(line: CommandLine): Promise<Findings> {
	const path = resolveDataDirectory(line.value("data"));
	const basis = { node: process.version, dataDirectory: { path, exists: existsSync(path) } };
	const { findEngine } = await import("../executors/container/engine-client.ts");
	const { EngineError } = await import("../executors/container/engine-error.ts");
	const found: { -readonly [Name in keyof Findings]?: Findings[Name] } = {};
	try {
		await using engine = await findEngine(line.value("container-engine"));
		const { id: _, ...info } = await engine.info();
		const { kind, version, apiVersion, address } = engine;
		found.engine = { kind, version, apiVersion, address, ...info };
		found.images = await findImages(engine);
		const { problems, ...isolation } = await examineIsolation(engine, path, line.values("container-allow"));
		return { ...basis, ...found, ...isolation, problems, hints: hints(engine, isolation.guarantees) };
	} catch (cause) {
		if (!(cause instanceof EngineError)) throw cause;
		const hint = cause.code === "engine-missing" ? [installHint] : [];
		return { ...basis, ...found, problems: [{ code: cause.code, message: cause.message }], hints: hint };
	}
}

async function findImages(engine: ContainerEngine): Promise<Readonly<Record<string, boolean>>> {
	const { languageImages } = await import("../executors/container/language-images.ts");
	const references = [...new Set(Object.values(languageImages))];
	const found = await Promise.all(references.map(async (one) => [one, (await engine.inspectImage(one)) !== undefined] as const));
	return Object.fromEntries(found);
}

async function examineIsolation(
	engine: ContainerEngine,
	dataDirectory: string,
	allowed: readonly string[],
): Promise<Pick<Findings, "guarantees" | "userNamespace" | "problems">> {
	const { findProbeImage, missingGuarantees, probeIsolation, requireGuaranteeNames } = await import(
		"../executors/container/isolation.ts"
	);
	requireGuaranteeNames(allowed);
	const image = await findProbeImage(engine);
	if (image === undefined) {
		const message = `The engine has none of Cronium's images to look with: \`cronium images build\` makes them, with --offline out of this machine's programs.`;
		return { problems: [{ code: "image-missing", message }] };
	}
	const report = await probeIsolation(engine, { dataDirectory, image });
	const guarantees = report.guarantees.map((one) => ({ ...one, isAllowed: allowed.includes(one.name) }));
	const problems = missingGuarantees(report, allowed).map(({ name, reason }) => ({
		code: "isolation-missing",
		message: `${name} is not kept: ${reason}. --container-allow ${name} runs scripts all the same.`,
	}));
	return { guarantees, userNamespace: report.userNamespace, problems };
}

const installHint =
	"On Debian or Ubuntu: apt-get install docker.io, or podman catatonit. Docker has to run; Podman is started when it is needed.";

function hints({ kind }: ContainerEngine, guarantees: readonly Guarantee[] = []): readonly string[] {
	if (guarantees.find(({ name }) => name === "user-namespace")?.isKept ?? true) return [];
	return [
		kind === "docker"
			? `Docker gives containers a user namespace when its daemon has "userns-remap": "default" (/etc/docker/daemon.json).`
			: "Podman gives every container ids of its own when /etc/subuid and /etc/subgid have a line such as containers:2147483648:1048576.",
	];
}

function describe({ node, dataDirectory, engine, images, userNamespace, guarantees, problems, hints }: Findings): string {
	const facts = [
		["Node", node],
		["Data directory", `${dataDirectory.path}${dataDirectory.exists ? "" : " (not there yet)"}`],
	];
	if (engine) {
		facts.push(["Engine", `${engine.kind} ${engine.version}, API ${engine.apiVersion}, at ${engine.address}`]);
		facts.push(["", `Runtime ${engine.runtime}; cgroup version ${engine.cgroupVersion}${engine.isRootless ? "; rootless" : ""}`]);
		facts.push(["", `${engine.operatingSystem}, kernel ${engine.kernel}, ${engine.architecture}`]);
		for (const warning of engine.warnings) facts.push(["", warning]);
	} else facts.push(["Engine", "none"]);
	if (userNamespace !== undefined) facts.push(["User namespace", userNamespaces[userNamespace] ?? userNamespace]);
	Object.entries(images ?? {}).forEach(([reference, isThere], index) => {
		facts.push([index === 0 ? "Images" : "", `${reference}${isThere ? "" : " (missing)"}`]);
	});
	const sections = [facts.map(([name = "", text = ""]) => `${name.padEnd(16)}${escapeText(text)}\n`).join("")];
	if (guarantees)
		sections.push(
			formatTable(
				["GUARANTEE", "KEPT", "WHY NOT"],
				guarantees.map(({ name, isKept, isRequired, isAllowed, reason = "" }) => [
					name,
					isKept ? "yes" : isAllowed ? "no, allowed" : isRequired ? "no" : "no, optional",
					reason,
				]),
			),
		);
	const verdict = problems.length === 0 ? ["Scripts can run in containers."] : problems.map(({ message }) => message);
	sections.push([...verdict, ...hints].map((text) => `${escapeText(text)}\n`).join(""));
	return sections.join("\n");
}

const userNamespaces: Readonly<Record<string, string>> = {
	auto: "one of its own for every container",
	"keep-id": "that of the engine's user",
	engine: "as the engine is configured",
};
