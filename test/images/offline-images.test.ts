import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import type { Readable } from "node:stream";
import { Client, request } from "undici";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { type ContainerEngine, connectEngine } from "../../host/executors/container/engine-client.ts";
import { buildOffline } from "../../host/images/build-image.ts";
import { type ImageName, imageNames, imageReference } from "../../host/images/images.ts";
import { engineKinds, findTestEngine } from "../containers/engines.ts";
import { runConfined, runContainer } from "./containers.ts";

const packageManagers = ["apt", "apt-get", "dpkg", "npm", "npx", "corepack", "yarn", "pip", "pip3"];
const probe = (file: string): string => readFileSync(join(import.meta.dirname, "probes", file), "utf8");
const probes: Readonly<Record<ImageName, readonly string[]>> = {
	node: ["node", "--input-type=module", "-e", probe("probe.mjs"), "--"],
	python: ["python3", "-B", "-c", probe("probe.py")],
	bash: ["bash", "-c", probe("probe.sh"), "bash"],
};

const harden = readFileSync(join(import.meta.dirname, "../../images/harden.sh"), "utf8");

/** The digest of the one layer of an image, built once more. */
async function pack(name: ImageName): Promise<string> {
	const digest = createHash("sha256");
	const engine = {
		importImage: async (tar: Readable) => {
			for await (const chunk of tar) digest.update(chunk);
			return `sha256:${digest.digest("hex")}`;
		},
	};
	return await buildOffline(engine, name, new AbortController().signal);
}

describe.each(engineKinds)("on %s", async (kind) => {
	const found = await findTestEngine(kind);
	describe.skipIf("missing" in found)("an image without a registry", () => {
		let engine: ContainerEngine;
		beforeAll(async () => {
			if ("address" in found) engine = await connectEngine(found.address);
		});
		afterAll(async () => await engine[Symbol.asyncDispose]());

		// Docker keeps the layer as it was given, and says its digest.
		test.runIf(kind === "docker")("has the same bytes when it is built again", async () => {
			const name = "bash";
			const answer = await request(`http://engine/images/${imageReference(name)}/json`, {
				dispatcher: new Client("http://engine", { socketPath: (found as { address: string }).address.replace("unix://", "") }),
			});
			const { RootFS } = (await answer.body.json()) as { RootFS: { Layers: readonly string[] } };
			expect(RootFS.Layers).toEqual([await pack(name)]);
		});

		test.each(imageNames)(
			"%s runs a script with its SDK, and has no package manager and no file with rights of its own",
			async (name) => {
				const { code, stdout, stderr } = await runConfined(engine, imageReference(name), [...probes[name], ...packageManagers]);
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
			const { code, stdout } = await runContainer(engine, {
				Image: imageReference("bash"),
				Cmd: ["bash", "-c", `id -u; pwd; ${find}`],
			});
			expect({ code, stdout }).toEqual({ code: 0, stdout: "65534\n/work\n/tmp\n/work\n" });
		});

		test("it has nothing of this machine but programs", async () => {
			const { stdout } = await runConfined(engine, imageReference("bash"), [
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
			const { code, stdout, stderr } = await runContainer(engine, {
				Image: imageReference("bash"),
				Cmd: ["bash", "-c", probe("harden.sh"), "bash", harden],
				User: "0:0",
			});
			expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: expect.stringMatching(/^1\d\n755\n$/), stderr: "" });
		});

		test.each(imageNames)("%s says what it is, and has no volume", async (name) => {
			const image = await engine.inspectImage(imageReference(name));
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
