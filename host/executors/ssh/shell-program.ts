/**
 * What is run on a host, whatever the account's login shell is (bash, zsh, fish, csh): constant, so that no text of a run is ever parsed by it. All else comes by
 * standard input, first of all a program for a POSIX shell, in one line.
 */
export const startCommand = `exec /bin/sh -c 'IFS= read -r _program && eval "$_program"'`;

/** A program in one line: its line breaks become spaces, so each of its commands has to end with its own semicolon. */
export function oneLine(program: string): string {
	return program.trim().replaceAll(/\n\s*/g, " ");
}

/**
 * Functions that read files from standard input, to be part of a program. `_unpack` takes how many directories and files there are, the paths of the
 * directories, and of each file how it comes, its path and its bytes. A short text comes as `=` and the number of its lines, which the shell reads by itself, because starting a
 * program takes longer. Else it comes as a number of bytes: `dd` reads what it is told to at most, so that nothing of what follows is lost (`head -c` may read too much), and may read
 * less. What is wrong is on standard error.
 */
export const unpackFunctions = `
_take() {
	true >"$2" || return 1;
	_missing=$1;
	while [ "$_missing" -gt 0 ]; do
		_size=$_missing;
		[ "$_size" -le 65536 ] || _size=65536;
		LC_ALL=C dd bs="$_size" count=1 >>"$2" || return 1;
		_size=$(($1 - $(wc -c <"$2")));
		[ "$_size" -lt "$_missing" ] || return 1;
		_missing=$_size;
	done;
};
_write() {
	while [ "$_missing" -gt 0 ]; do
		IFS= read -r _line && printf "%s\\n" "$_line" || return 1;
		_missing=$((_missing - 1));
	done >"$1";
};
_unpack() {
	IFS= read -r _directories && IFS= read -r _files || return 1;
	while [ "$_directories" -gt 0 ]; do
		IFS= read -r _path && mkdir -p "$_path" || return 1;
		_directories=$((_directories - 1));
	done;
	while [ "$_files" -gt 0 ]; do
		IFS= read -r _missing && IFS= read -r _path || return 1;
		case $_missing in
		=*) _missing=\${_missing#=}; _write "$_path" || return 1 ;;
		*) _take "$_missing" "$_path" || return 1 ;;
		esac;
		_files=$((_files - 1));
	done;
};`;

/** A text of so many bytes takes a shell as long as two programs, which read anything else. */
const maxLinesBytes = 8 * 1024;

/** A tree of files as `_unpack` takes it: by their paths, which are relative and have one line. Directories that are there already are left out. */
export function encodeFiles(
	files: ReadonlyMap<string, string | Uint8Array>,
	directories: { readonly there?: readonly string[]; readonly empty?: readonly string[] } = {},
): Buffer {
	const made = new Set(directories.empty);
	for (const path of files.keys()) {
		const end = path.lastIndexOf("/");
		if (end > 0) made.add(path.slice(0, end));
	}
	for (const path of directories.there ?? []) made.delete(path);
	const parts: Buffer[] = [Buffer.from(`${made.size}\n${files.size}\n${[...made].map((path) => `${path}\n`).join("")}`)];
	for (const [path, contents] of files) {
		const bytes = Buffer.from(contents as Uint8Array);
		const lines = linesOf(bytes);
		parts.push(Buffer.from(`${lines === undefined ? bytes.length : `=${lines}`}\n${path}\n`), bytes);
	}
	return Buffer.concat(parts);
}

/** How many lines a short text has; undefined for what a shell would not write as it has read it. */
function linesOf(bytes: Buffer): number | undefined {
	if (bytes.length > maxLinesBytes || bytes.includes(0) || (bytes.length > 0 && bytes.at(-1) !== newline)) return undefined;
	return bytes.reduce((lines, byte) => lines + Number(byte === newline), 0);
}

const newline = 0x0a;
