import { createHash } from "node:crypto";
import { createReadStream, createWriteStream, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { type Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { buildOffline } from "../../host/images/build-image.ts";
import { type ImageName, imageInstructions, imageNames, imageReference } from "../../host/images/images.ts";
import { engineKinds } from "../containers/engines.ts";
import { runConfined, runContainer } from "./containers.ts";
import { canStart, startEngine, type TestEngine } from "./engines.ts";

const packageManagers = ["apt", "apt-get", "dpkg", "npm", "npx", "corepack", "yarn", "pip", "pip3"];
const probe = (file: string): string => readFileSync(join(import.meta.dirname, "probes", file), "utf8");
const probes: Readonly<Record<ImageName, readonly string[]>> = {
	node: ["node", "--input-type=module", "-e", probe("probe.mjs"), "--"],
	python: ["python3", "-B", "-c", probe("probe.py")],
	bash: ["bash", "-c", probe("probe.sh"), "bash"],
};

const harden = readFileSync(join(import.meta.dirname, "../../images/harden.sh"), "utf8");

/** Archives of the images, which every engine imports. */
let directory: string;
const archive = (name: ImageName): string => join(directory, `${name}.tar`);

/** Builds an image as an engine gets it, into the file if there is one, and answers the digest of its one layer. */
async function pack(name: ImageName, file?: string): Promise<string> {
	const digest = createHash("sha256");
	const engine = {
		importImage: async (tar: Readable) => {
			const written = new Writable({
				write(chunk: Buffer, _encoding, done) {
					digest.update(chunk);
					done();
				},
			});
			const archived = file === undefined ? [] : [pipeline(tar, createWriteStream(file))];
			await Promise.all([pipeline(tar, written), ...archived]);
			return digest.digest("hex");
		},
	};
	return await buildOffline(engine, name, new AbortController().signal);
}

const digests = new Map<ImageName, string>();
beforeAll(async () => {
	directory = mkdtempSync(join(tmpdir(), "images-"));
	await Promise.all(imageNames.map(async (name) => digests.set(name, await pack(name, archive(name)))));
}, 60_000);
afterAll(() => rmSync(directory, { recursive: true, force: true }));

test.concurrent.each(imageNames)("the %s image has the same bytes when it is built again", { timeout: 60_000 }, async (name) => {
	expect(await pack(name)).toBe(digests.get(name));
});

describe.each(engineKinds)("on %s", (kind) => {
	describe.skipIf(!canStart(kind))("an image without a registry", () => {
		let started: TestEngine;
		beforeAll(async () => {
			started = await startEngine(kind);
			await Promise.all(
				imageNames.map((name) =>
					started.engine.importImage(createReadStream(archive(name)), imageReference(name), { changes: imageInstructions(name) }),
				),
			);
		}, 60_000);
		afterAll(async () => await started[Symbol.asyncDispose]());

		test.each(imageNames)(
			"%s runs a script with its SDK, and has no package manager and no file with rights of its own",
			async (name) => {
				const { code, stdout, stderr } = await runConfined(started.engine, imageReference(name), [
					...probes[name],
					...packageManagers,
				]);
				expect({ code, stderr }).toEqual({ code: 0, stderr: expect.stringMatching(outputs[name]) });
				const [facts = "", ...more] = stdout.trim().split("\n");
				expect(JSON.parse(facts)).toEqual({ user: "12345:12345", isThorough: true, rights: [], commands: [] });
				// A character of two bytes.
				expect(more).toEqual(name === "bash" ? ["1"] : []);
			},
		);

		test("its own user owns nothing and can write to its two directories only, though the root file system is not read-only", async () => {
			const find =
				"find / -xdev \\( -path /proc -o -path /dev -o -path /sys \\) -prune -o ! -type l \\( -writable -o -user $(id -u) \\) -print | sort";
			const { code, stdout } = await runContainer(started.engine, {
				Image: imageReference("bash"),
				Cmd: ["bash", "-c", `id -u; pwd; ${find}`],
			});
			expect({ code, stdout }).toEqual({ code: 0, stdout: "65534\n/work\n/tmp\n/work\n" });
		});

		test("it has nothing of this machine but programs", async () => {
			const { stdout } = await runConfined(started.engine, imageReference("bash"), [
				"bash",
				"-c",
				"echo /* /etc/*; cut -d: -f1 /etc/passwd | xargs",
			]);
			// Podman mounts a file system on /var/tmp.
			const engineFiles = ["/var", "/etc/hostname", "/etc/hosts", "/etc/mtab", "/etc/resolv.conf"];
			const [files = "", users = ""] = stdout.split("\n");
			expect(files.split(" ").filter((file) => !engineFiles.includes(file))).toEqual(
				"/bin /dev /etc /lib /lib64 /proc /run /sbin /script /sys /tmp /usr /work /etc/group /etc/nsswitch.conf /etc/os-release /etc/passwd".split(
					" ",
				),
			);
			// Podman adds the user that it was given.
			expect(users.replace(" 12345", "")).toBe("root nobody");
		});

		test("harden.sh takes away package managers, rights of files, and what the base was left with", async () => {
			const { code, stdout, stderr } = await runContainer(started.engine, {
				Image: imageReference("bash"),
				Cmd: ["bash", "-c", probe("harden.sh"), "bash", harden],
				User: "0:0",
			});
			expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: expect.stringMatching(/^1\d\n755\n$/), stderr: "" });
		});

		test.each(imageNames)("%s says what it is, and has no volume", async (name) => {
			const image = await started.engine.inspectImage(imageReference(name));
			expect(image).toMatchObject({ volumes: [], labels: { "cronium.image": name, "cronium.version": "0.1.0" } });
			expect(image?.environment.map((variable) => variable.split("=")[0])).toEqual(["PATH", "LANG"]);
		});
	});
});

const outputs: Readonly<Record<ImageName, RegExp>> = {
	node: /cronium: output \[\[1\],\[1\]\]\n$/,
	python: /cronium: output \[\[1\],"Europe\/Berlin"\]\n$/,
	bash: /cronium: output \[\[1\],20\]\n$/,
};
