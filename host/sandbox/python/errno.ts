/** The numbers of WASI, which Emscripten's C library uses, too. */
const numbers = {
	EACCES: 2,
	EAFNOSUPPORT: 5,
	EBADF: 8,
	EBUSY: 10,
	EEXIST: 20,
	EFAULT: 21,
	EFBIG: 22,
	EINVAL: 28,
	EISDIR: 31,
	EMFILE: 33,
	ENAMETOOLONG: 37,
	ENODEV: 43,
	ENOENT: 44,
	ENOSPC: 51,
	ENOSYS: 52,
	ENOTDIR: 54,
	ENOTEMPTY: 55,
	ENOTTY: 59,
	EOVERFLOW: 61,
	EPERM: 63,
	ERANGE: 68,
	EROFS: 69,
	ESPIPE: 70,
	ENOTSUP: 138,
} as const;

export type ErrnoName = keyof typeof numbers;

/** A system call that fails, with what the guest finds in `errno`. */
export class SystemError extends Error {
	override readonly name = "SystemError";
	readonly errno: number;

	constructor(name: ErrnoName) {
		super(name);
		this.errno = numbers[name];
	}
}

/** One error of each kind, made once: looking for a file that is not there is common, and the stack trace of an error of its own would cost more than the look. */
export const systemErrors = Object.fromEntries(
	Object.keys(numbers).map((name) => [name, new SystemError(name as ErrnoName)]),
) as Readonly<Record<ErrnoName, SystemError>>;
