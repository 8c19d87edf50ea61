import {
	closeSync,
	constants,
	fstatSync,
	ftruncateSync,
	mkdirSync,
	mkdtempSync,
	openSync,
	readdirSync,
	readSync,
	renameSync,
	rmdirSync,
	rmSync,
	statSync,
	truncateSync,
	unlinkSync,
	writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import fc from "fast-check";
import { afterAll, expect, test } from "vitest";
import type { GuestFiles } from "../../../host/sandbox/python/files.ts";
import { openFlags } from "../../../host/sandbox/python/open-files.ts";
import { createGuestFiles, current, list } from "./guest-files.ts";

/** What a step finds: the same in both file systems, or the same failure. */
type Found = string | number | string[];

interface Step {
	readonly name: string;
	inGuest(files: GuestFiles, open: number[]): Found;
	onLinux(root: string, open: number[]): Found;
}

/** Steps by name, as a failing property prints them. */
function named(steps: readonly Step[]): { readonly steps: readonly Step[]; [fc.toStringMethod](): string } {
	return { steps, [fc.toStringMethod]: () => steps.map(({ name }) => name).join("\n") };
}

const directories: string[] = [];
afterAll(() => {
	for (const directory of directories) rmSync(directory, { recursive: true });
});

/** Few names, so that steps meet; some lead through files, up and out again, or end in what is no name. */
const path = fc
	.array(fc.constantFrom("a", "b", "c", ".", ".."), { minLength: 1, maxLength: 4 })
	.map((names) => names.join("/"))
	// The root of the one is not the root of the other.
	.filter((text) => depth(text) > 0)
	.chain((text) => fc.constantFrom(text, text, text, `${text}/`, text.replaceAll("/", "//")));
const size = fc.constantFrom(0, 1, 511, 512, 513, 16_383, 16_384, 16_385, 40_000);
/** Node does not ask Linux to read nothing. */
const readSize = size.filter((length) => length > 0);
const handle = fc.nat(3);
const flag = fc.constantFrom<keyof typeof openFlags>("create", "exclusive", "truncate", "append", "directory");
const flags = fc.tuple(fc.constantFrom<number>(0, 1, 2, 2), fc.uniqueArray(flag, { maxLength: 3 }));
const linuxFlags: Partial<Record<keyof typeof openFlags, number>> = {
	create: constants.O_CREAT,
	exclusive: constants.O_EXCL,
	truncate: constants.O_TRUNC,
	append: constants.O_APPEND,
	directory: constants.O_DIRECTORY,
};

const step: fc.Arbitrary<Step> = fc.oneof(
	{
		weight: 4,
		arbitrary: fc
			.tuple(path, flags)
			// To read and truncate is not specified, and kernels differ in what it is to create a directory so.
			.filter(([, [access, named]]) => access !== 0 || !named.includes("truncate"))
			.filter(([, [, named]]) => !named.includes("create") || !named.includes("directory"))
			.map(([path, [access, named]]) => ({
				name: `open ${path} ${access} ${named}`,
				inGuest(files: GuestFiles, open: number[]) {
					const bits = named.reduce<number>((sum, each) => sum | openFlags[each], access);
					open.push(files.open(current, `/tmp/${path}`, bits, 0o666));
					return open.length;
				},
				onLinux(root: string, open: number[]) {
					const bits = named.reduce<number>((sum, each) => sum | (linuxFlags[each] as number), access);
					open.push(openSync(`${root}/${path}`, bits, 0o666));
					return open.length;
				},
			})),
	},
	{
		weight: 4,
		arbitrary: fc.tuple(handle, size, fc.option(size, { nil: null })).map(([handle, length, at]) => ({
			name: `write ${length} bytes to ${handle} at ${at}`,
			inGuest: (files: GuestFiles, open: number[]) =>
				files.descriptors.get(open[handle] ?? -1).write(Buffer.alloc(length, length), files.now, at ?? undefined),
			onLinux: (_root: string, open: number[]) =>
				writeSync(requireOpen(open[handle]), Buffer.alloc(length, length), 0, length, at),
		})),
	},
	{
		weight: 4,
		arbitrary: fc.tuple(handle, readSize, fc.option(size, { nil: null })).map(([handle, length, at]) => ({
			name: `read ${length} bytes of ${handle} at ${at}`,
			inGuest(files: GuestFiles, open: number[]) {
				const into = Buffer.alloc(length);
				const done = files.descriptors.get(open[handle] ?? -1).read(into, at ?? undefined);
				return `${done} ${into.toString("hex")}`;
			},
			onLinux(_root: string, open: number[]) {
				const into = Buffer.alloc(length);
				const done = readSync(requireOpen(open[handle]), into, 0, length, at);
				return `${done} ${into.toString("hex")}`;
			},
		})),
	},
	fc.tuple(handle, size).map(([handle, size]) => ({
		name: `truncate ${handle} to ${size}`,
		inGuest(files: GuestFiles, open: number[]) {
			files.descriptors.get(open[handle] ?? -1).truncate(size, files.now);
			return "";
		},
		onLinux(_root: string, open: number[]) {
			ftruncateSync(requireOpen(open[handle]), size);
			return "";
		},
	})),
	handle.map((handle) => ({
		name: `size and type of ${handle}`,
		inGuest: (files: GuestFiles, open: number[]) => describeGuest(files.descriptors.get(open[handle] ?? -1).node),
		onLinux: (_root: string, open: number[]) => describeLinux(fstatSync(requireOpen(open[handle]))),
	})),
	handle.map((handle) => ({
		name: `close ${handle}`,
		inGuest(files: GuestFiles, open: number[]) {
			files.descriptors.close(open.splice(handle, 1)[0] ?? -1);
			return "";
		},
		onLinux(_root: string, open: number[]) {
			closeSync(requireOpen(open.splice(handle, 1)[0]));
			return "";
		},
	})),
	fc.tuple(path, size).map(([path, size]) => ({
		name: `truncate ${path} to ${size}`,
		inGuest(files: GuestFiles) {
			files.truncate(`/tmp/${path}`, size);
			return "";
		},
		onLinux(root: string) {
			truncateSync(`${root}/${path}`, size);
			return "";
		},
	})),
	...(
		[
			["mkdir", (files: GuestFiles, path: string) => files.makeDirectory(current, path, 0o777), mkdirSync],
			["rmdir", (files: GuestFiles, path: string) => files.removeDirectory(current, path), (path: string) => rmdirSync(path)],
			["unlink", (files: GuestFiles, path: string) => files.removeFile(current, path), unlinkSync],
		] as const
	).map(([name, inGuest, onLinux]) => ({
		weight: 2,
		arbitrary: path.map((path) => ({
			name: `${name} ${path}`,
			inGuest(files: GuestFiles) {
				inGuest(files, `/tmp/${path}`);
				return "";
			},
			onLinux(root: string) {
				onLinux(`${root}/${path}`);
				return "";
			},
		})),
	})),
	{
		weight: 3,
		arbitrary: fc.tuple(path, path).map(([from, to]) => ({
			name: `rename ${from} to ${to}`,
			inGuest(files: GuestFiles) {
				files.rename(current, `/tmp/${from}`, current, `/tmp/${to}`);
				return "";
			},
			onLinux(root: string) {
				renameSync(`${root}/${from}`, `${root}/${to}`);
				return "";
			},
		})),
	},
	path.map((path) => ({
		name: `size and type of ${path}`,
		inGuest: (files: GuestFiles) => describeGuest(files.find(current, `/tmp/${path}`)),
		onLinux: (root: string) => describeLinux(statSync(`${root}/${path}`)),
	})),
);

test("files do what those of Linux do", () => {
	fc.assert(
		fc.property(fc.array(step, { minLength: 1, maxLength: 80, size: "max" }).map(named), ({ steps }) => {
			const root = mkdtempSync(join(tmpdir(), "cronium-files-"));
			directories.push(root);
			const files = createGuestFiles({ limits: { maxBytes: 100_000_000, maxEntries: 1_000 } });
			const inGuest: number[] = [];
			const onLinux: number[] = [];
			try {
				for (const each of steps) {
					const found = attempt(() => each.inGuest(files, inGuest));
					expect(found, each.name).toEqual(attempt(() => each.onLinux(root, onLinux)));
				}
				expect(walkGuest(files, "/tmp")).toEqual(walkLinux(root));
			} finally {
				for (const fd of onLinux) closeSync(fd);
			}
		}),
		{ numRuns: 400 },
	);
});

function attempt(step: () => Found): Found {
	try {
		return step();
	} catch (error) {
		return (error as NodeJS.ErrnoException).code ?? (error as Error).message;
	}
}

/** A descriptor that was not opened: one of the process's own must not be taken for it. */
function requireOpen(fd: number | undefined): number {
	if (fd === undefined) throw new Error("EBADF");
	return fd;
}

function depth(path: string): number {
	let least = 1;
	let depth = 0;
	for (const name of path.split("/")) {
		depth += name === ".." ? -1 : name === "." ? 0 : 1;
		least = Math.min(least, depth);
	}
	return Math.min(least, depth);
}

function describeGuest(node: ReturnType<GuestFiles["find"]>): string {
	return node.kind === "file" ? `file ${node.content.size}` : node.kind;
}

function describeLinux(stat: ReturnType<typeof statSync>): string {
	return stat?.isDirectory() ? "directory" : `file ${stat?.size}`;
}

function walkGuest(files: GuestFiles, path: string): string[] {
	return list(files, path)
		.sort()
		.flatMap((name) => {
			const node = files.find(current, `${path}/${name}`);
			return [`${name} ${describeGuest(node)}`, ...(node.kind === "directory" ? walkGuest(files, `${path}/${name}`) : [])];
		});
}

function walkLinux(path: string): string[] {
	return readdirSync(path)
		.sort()
		.flatMap((name) => {
			const stat = statSync(`${path}/${name}`);
			return [`${name} ${describeLinux(stat)}`, ...(stat.isDirectory() ? walkLinux(`${path}/${name}`) : [])];
		});
}
