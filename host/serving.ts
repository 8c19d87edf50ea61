import { randomBytes } from "node:crypto";
import { readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { servingFileName } from "./store/data-directory.ts";
import { isHostAlive } from "./store/hosts.ts";

/** How the process that serves a data directory is reached by others of this account. */
export interface Serving {
	readonly pid: number;
	/** The id of its host, by which it is known whether it lives. */
	readonly host: string;
	/** The control API: `http://…`, `https://…` or `unix:/…`. */
	readonly control: string;
	/** Its certificate, when it is the operator's; the certificates of the host's own authority, when that has issued it (PEM). */
	readonly trust?: { readonly certificate: string } | { readonly authority: string };
	/** Whether clients need certificates of their own. */
	readonly asksForCertificates: boolean;
	/** The file with the operator's credential. */
	readonly operatorTokenFile: string;
}

const servingFile = (dataDirectory: string): string => join(dataDirectory, servingFileName);

/** Makes the process that serves known. Whoever reads the file finds it whole. */
export function publishServing(dataDirectory: string, serving: Serving): void {
	const path = servingFile(dataDirectory);
	const draft = `${path}.${randomBytes(9).toString("base64url")}`;
	try {
		writeFileSync(draft, JSON.stringify(serving), { mode: 0o600, flag: "wx" });
		renameSync(draft, path);
	} finally {
		rmSync(draft, { force: true });
	}
}

/** It serves no more. Another process that has taken over meanwhile is left alone. */
export function withdrawServing(dataDirectory: string, host: string): void {
	if (readServing(dataDirectory)?.host === host) rmSync(servingFile(dataDirectory), { force: true });
}

/** The process that serves the data directory; undefined when there is none, or what it has left is of one that died. */
export async function findServing(dataDirectory: string): Promise<Serving | undefined> {
	const serving = readServing(dataDirectory);
	return serving && (await isHostAlive(dataDirectory, serving.host)) ? serving : undefined;
}

function readServing(dataDirectory: string): Serving | undefined {
	try {
		return JSON.parse(readFileSync(servingFile(dataDirectory), "utf8")) as Serving;
	} catch (error) {
		const { code } = error as NodeJS.ErrnoException;
		if (code === "ENOENT" || code === "ENOTDIR" || error instanceof SyntaxError) return undefined;
		throw error;
	}
}
