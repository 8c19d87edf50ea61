import { chmodSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { delimiter, join } from "node:path";
import { buffer } from "node:stream/consumers";
import { unpackTar } from "modern-tar";
import { afterEach, beforeEach, describe, expect, test, vi } from "vitest";
import { buildFromBase } from "../../host/images/build-image.ts";
import { imageNames } from "../../host/images/images.ts";
import { addLibraries } from "../../host/images/libraries.ts";
import { addPrograms, findProgram } from "../../host/images/programs.ts";
import { RootTree } from "../../host/images/root-tree.ts";
import { packTree } from "../../host/images/tree-archive.ts";

let directory: string;
beforeEach(() => {
	directory = mkdtempSync(join(tmpdir(), "images-"));
});
afterEach(() => {
	vi.unstubAllEnvs();
	rmSync(directory, { recursive: true, force: true });
});

const unpack = async (tree: RootTree) => (await unpackTar(await buffer(packTree(tree)))).map(({ header }) => header);

describe("programs of this machine", () => {
	test("that are missing are named, all at once", () => {
		vi.stubEnv("PATH", directory);
		expect(() => addPrograms(new RootTree(), ["jq", "curl"])).toThrow(
			"This machine does not have jq, curl, which the image needs: install them.",
		);
	});

	test("are found behind a version manager's script, and never in a relative directory", () => {
		const real = findProgram("true");
		expect(real).toBeDefined();
		writeFileSync(join(directory, "true"), "#!/bin/sh\nexit 0\n");
		chmodSync(join(directory, "true"), 0o755);
		vi.stubEnv("PATH", [directory, ".", "", process.env.PATH].join(delimiter));
		expect(findProgram("true")).toBe(real);
	});

	test("that are one file are one file in the image, with links", async () => {
		symlinkSync(findProgram("true") as string, join(directory, "one"));
		symlinkSync("one", join(directory, "other"));
		vi.stubEnv("PATH", directory);
		const tree = new RootTree();
		expect(addPrograms(tree, ["one", "other"])).toHaveLength(1);
		expect(await unpack(tree)).toMatchObject([
			{ name: "usr/" },
			{ name: "usr/bin/" },
			{ name: "usr/bin/one", type: "file" },
			{ name: "usr/bin/other", type: "symlink", linkname: "one" },
		]);
	});

	test("whose library is missing are named with it", async () => {
		const file = join(directory, "program");
		// The library's name in the program itself becomes that of none.
		writeFileSync(
			file,
			Buffer.from(readFileSync(findProgram("true") as string, "latin1").replaceAll("libc.so.6\0", "libq.so.6\0"), "latin1"),
		);
		chmodSync(file, 0o755);
		await expect(addLibraries(new RootTree(), [file])).rejects.toThrow(
			`${file} needs the library libq.so.6, which this machine does not have.`,
		);
	});
});

describe("a root file system", () => {
	test("has no owners, times and rights of this machine", async () => {
		const file = join(directory, "tool");
		writeFileSync(file, "x");
		chmodSync(file, 0o6777);
		const tree = new RootTree();
		tree.addTree("opt", directory);
		const common = { uid: 0, gid: 0, mode: 0o755, mtime: new Date("1980-01-01T00:00:00Z") };
		expect(await unpack(tree)).toEqual([
			expect.objectContaining({ name: "opt/", ...common }),
			expect.objectContaining({ name: "opt/tool", ...common }),
		]);
	});

	test("takes links that stay in a directory, and none that lead out of it", () => {
		mkdirSync(join(directory, "in/deep"), { recursive: true });
		writeFileSync(join(directory, "in/file"), "");
		for (const [name, target] of Object.entries({
			good: "../file",
			up: "../../../secret",
			absolute: "/etc/passwd",
			round: "../../in/../../x",
		}))
			symlinkSync(target, join(directory, "in/deep", name));
		const tree = new RootTree();
		tree.addTree("t", join(directory, "in"));
		expect(tree.entries.map(([path]) => path)).toEqual(["t", "t/deep", "t/deep/good", "t/file"]);
	});

	test("refuses two files in one place, and places outside", () => {
		const tree = new RootTree();
		tree.addText("etc/passwd", "a");
		tree.addText("etc/passwd", "a");
		expect(() => tree.addText("etc/passwd", "b")).toThrow("Two files want to be /etc/passwd in the image: a text, a text.");
		expect(() => tree.addText("etc/passwd/b", "b")).toThrow(
			"Two files want to be /etc/passwd in the image: a text, a directory.",
		);
		for (const path of ["/etc/group", "../group", "etc/../group", ""])
			expect(() => tree.addText(path, "")).toThrow("is no path in an image");
	});
});

test.each(imageNames)("the Dockerfile of %s finds everything that it copies, and pins its base by digest", async (name) => {
	const dockerfile = readFileSync(join(import.meta.dirname, `../../images/${name}/Dockerfile`), "utf8");
	const copied = [...dockerfile.matchAll(/^COPY (?!--from)(\S+) \S+$/gm)].map(([, path = ""]) => path);
	expect(copied.length).toBeGreaterThan(1);
	const engine = {
		async buildImage(context: NodeJS.ReadableStream, build: object) {
			expect(build).toMatchObject({
				reference: `localhost/cronium/${name}:0.1.0`,
				dockerfile: `images/${name}/Dockerfile`,
				arguments: { BASE: "mirror/base", BASE_DIGEST: "sha256:1", CRONIUM_VERSION: "0.1.0" },
			});
			const entries = await unpackTar(await buffer(context));
			return entries.map(({ header }) => header.name.replace(/\/$/, "")).join("\n");
		},
	};
	const base = { name: "mirror/base", digest: "sha256:1" };
	const context = (await buildFromBase(engine, name, base, new AbortController().signal)).split("\n");
	expect(context).toEqual(expect.arrayContaining([...copied, `images/${name}/Dockerfile`]));
	expect(dockerfile.match(/^FROM .*$/gm)).toEqual([
		expect.stringMatching(/^FROM \$\{BASE\}@\$\{BASE_DIGEST\} AS root$/),
		"FROM scratch",
	]);
});
