import { systemErrors } from "./errno.ts";
import type { OpenFile } from "./open-files.ts";

export const maxDescriptors = 256;

interface Descriptor {
	readonly file: OpenFile;
	closesOnExec: boolean;
}

/** A guest's open files by their numbers. A new one has the lowest that is free. */
export class Descriptors {
	#table: (Descriptor | undefined)[] = [];

	/** Throws EBADF. */
	get(fd: number): OpenFile {
		return this.#require(fd).file;
	}

	/** Throws EMFILE. What opens a file asks first, so that it does not make one that it cannot open. */
	free(lowest = 0): number {
		for (let fd = lowest; fd < maxDescriptors; fd++) if (this.#table[fd] === undefined) return fd;
		throw systemErrors.EMFILE;
	}

	/** Closes what the number was of. Throws EBADF for what can be none. */
	set(fd: number, file: OpenFile, closesOnExec: boolean): number {
		if (fd < 0 || fd >= maxDescriptors) throw systemErrors.EBADF;
		// First the one and then the other: they may be of one file, which is to stay.
		file.retain();
		this.#table[fd]?.file.release();
		this.#table[fd] = { file, closesOnExec };
		return fd;
	}

	close(fd: number): void {
		this.#require(fd).file.release();
		this.#table[fd] = undefined;
	}

	/** There are no other programs; what has been set can be read. */
	closesOnExec(fd: number): boolean {
		return this.#require(fd).closesOnExec;
	}

	setClosesOnExec(fd: number, closesOnExec: boolean): void {
		this.#require(fd).closesOnExec = closesOnExec;
	}

	/** The numbers of all that are open. */
	open(): number[] {
		return [...this.#table.keys()].filter((fd) => this.#table[fd] !== undefined);
	}

	/** As it was at the start, with nothing but what a program is started with. Contents are not given back one by one: their space is reset. */
	reset(standard: readonly OpenFile[]): void {
		this.#table = [];
		for (const [fd, file] of standard.entries()) this.set(fd, file, false);
	}

	#require(fd: number): Descriptor {
		const found = fd >= 0 && fd < maxDescriptors ? this.#table[fd] : undefined;
		if (found === undefined) throw systemErrors.EBADF;
		return found;
	}
}
