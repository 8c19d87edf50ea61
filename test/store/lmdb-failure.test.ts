import { constants } from "node:os";
import { describe, expect, test } from "vitest";
import { RuntimeError } from "../../host/contract/errors.ts";
import { lmdbFailure } from "../../host/store/lmdb-failure.ts";

/** An error as LMDB's package throws it: the system's number, and a text that speaks of pages. */
const native = (code: number) =>
	Object.assign(new Error("No space left on device: Attempting to write page at position 4096, size 8192, blocks 2"), { code });

describe("a failure of LMDB", () => {
	test.each([
		[constants.errno.ENOSPC, "the disk is full"],
		[constants.errno.EDQUOT, "the disk quota of this user is used up"],
		[constants.errno.EIO, "the disk is full or reports an error"],
		[-30_792, "its file has no room left; delete something, or use a larger maxStoreBytes"],
		[constants.errno.EBADF, "the system refused (EBADF)"],
		[-30_769, "the system refused (error -30769)"],
	])("with the number %d says what is the matter in one sentence, and keeps the original as its cause", (code, reason) => {
		const error = native(code);
		const failure = lmdbFailure("written", error);
		expect(failure).toMatchObject({ code: "unavailable", message: `The store could not be written: ${reason}.`, cause: error });
	});

	test("of a file that the system does not give says which right is missing, without the path", () => {
		const error = Object.assign(new Error("EACCES: permission denied, open '/secret/store.lmdb'"), { code: "EACCES" });
		expect(lmdbFailure("opened", error).message).toBe(
			"The store could not be opened: this user has no permission to use its files.",
		);
	});

	test("in a damaged file is internal", () => {
		expect(lmdbFailure("read", native(-30_796))).toMatchObject({
			code: "internal",
			message: "The store could not be read: its file is damaged.",
		});
	});

	test("without a number gives nothing of its text away", () => {
		expect(lmdbFailure("read", new Error("reader lock pid 17")).message).toBe("The store could not be read: LMDB refused.");
		const fault = new RangeError("offset 4096 is out of range");
		expect(lmdbFailure("read", fault)).toMatchObject({ code: "internal", cause: fault });
	});

	test("that is an error of the contract already stays as it is", () => {
		const error = new RuntimeError("too-large", "The key is too large.");
		expect(lmdbFailure("written", error)).toBe(error);
	});
});
