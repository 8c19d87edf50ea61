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
 * directories, and of each file its size, its path and its bytes. A shell reads lines byte by byte, and `dd` what it is told to at most, so that nothing that
 * follows is lost; `head -c` may read too much. Says what is wrong on standard error, and fails.
 */
export const unpackFunctions = `
_take() {
	: >"$2" || return 1;
	_missing=$1;
	while [ "$_missing" -gt 0 ]; do
		_size=$_missing;
		[ "$_size" -le 65536 ] || _size=65536;
		_said=$(LC_ALL=C dd bs="$_size" count=1 2>&1 >>"$2") || { printf "%s\\n" "$_said" >&2; return 1; };
		_size=$(($1 - $(wc -c <"$2")));
		[ "$_size" -lt "$_missing" ] || { echo "the input has ended" >&2; return 1; };
		_missing=$_size;
	done;
};
_unpack() {
	IFS= read -r _directories && IFS= read -r _files || return 1;
	while [ "$_directories" -gt 0 ]; do
		IFS= read -r _path && mkdir -p "$_path" || return 1;
		_directories=$((_directories - 1));
	done;
	while [ "$_files" -gt 0 ]; do
		IFS= read -r _bytes && IFS= read -r _path && _take "$_bytes" "$_path" || return 1;
		_files=$((_files - 1));
	done;
};`;

/** A tree of files as `_unpack` takes it: by their paths, which are relative and have one line. */
export function encodeFiles(files: ReadonlyMap<string, string | Uint8Array>, emptyDirectories: readonly string[] = []): Buffer {
	const directories = new Set(emptyDirectories);
	for (const path of files.keys()) {
		const end = path.lastIndexOf("/");
		if (end > 0) directories.add(path.slice(0, end));
	}
	const parts: Buffer[] = [
		Buffer.from(`${directories.size}\n${files.size}\n${[...directories].map((path) => `${path}\n`).join("")}`),
	];
	for (const [path, contents] of files) {
		const bytes = Buffer.from(contents as Uint8Array);
		parts.push(Buffer.from(`${bytes.length}\n${path}\n`), bytes);
	}
	return Buffer.concat(parts);
}
