import { runDirectories } from "./remote-script.ts";
import { encodeFiles, oneLine, unpackFunctions } from "./shell-program.ts";

/** What one run is started with on its host. */
export interface LaunchPlan {
	/** Marks where the login shell has had its say. Nobody can guess it. */
	readonly nonce: string;
	/** The directory of the run: made, private, and named by the keeper. */
	readonly directory: string;
	/** Programs without which it is not begun. */
	readonly needed: readonly string[];
	/** What its environment has beside the account's: the token is among it. Values have one line. */
	readonly environment: Readonly<Record<string, string>>;
	/** A list of paths in the environment, and what is put before what the account has there. */
	readonly searched: { readonly variable: string; readonly path: string } | undefined;
	/** By their paths in the directory. */
	readonly files: ReadonlyMap<string, string | Uint8Array>;
	/** The program and its arguments. */
	readonly command: readonly string[];
}

/**
 * Reads all of a run from standard input, and becomes its interpreter. Nothing that it reads is parsed as a command, and secrets are in its memory only. It leaves the
 * number of its process beside the directory, by which the keeper ends its process group. Exit codes are the script's: what goes wrong before is said behind the nonce.
 */
export const launcher = oneLine(`
umask 077;
${unpackFunctions}
IFS= read -r _nonce && IFS= read -r _directory && IFS= read -r _needed && IFS= read -r _count || exit 125;
_fail() { printf "\\n%s %s\\n" "$_nonce" "$*"; exit 125; };
cd "$_directory" && { printf "%s\\n" "$$" >"$_directory.pid"; } || _fail unusable;
_missing=;
for _each in $_needed; do
	command -v "$_each" >/dev/null 2>&1 || _missing="$_missing $_each";
done;
[ -z "$_missing" ] || _fail missing "\${_missing# }";
while [ "$_count" -gt 0 ]; do
	IFS= read -r _line && export "$_line" || exit 125;
	_count=$((_count - 1));
done;
IFS= read -r _variable && IFS= read -r _path && IFS= read -r _count || exit 125;
if [ -n "$_variable" ]; then
	eval "_line=\\\${$_variable-}";
	export "$_variable=$_path\${_line:+:$_line}";
fi;
set --;
while [ "$_count" -gt 0 ]; do
	IFS= read -r _lines && IFS= read -r _value || exit 125;
	[ "$_lines" -le 1 ] || { _newline=$(printf "\\nx"); _newline=\${_newline%x}; };
	while [ "$_lines" -gt 1 ]; do
		IFS= read -r _line || exit 125;
		_value=$_value$_newline$_line;
		_lines=$((_lines - 1));
	done;
	set -- "$@" "$_value";
	_count=$((_count - 1));
done;
_unpack && cd work || _fail unusable;
printf "%s\\n" "$_nonce" >&2;
printf "\\n%s begun\\n" "$_nonce";
exec "$@" </dev/null`);

/** What the launcher is sent, behind itself. No text may hold a NUL. */
export function encodeLaunch({ nonce, directory, needed, environment, searched, files, command }: LaunchPlan): Buffer {
	const variables = Object.entries(environment).map(([name, value]) => `${name}=${value}`);
	const lines = [
		...[nonce, directory, needed.join(" ")],
		...[`${variables.length}`, ...variables],
		...[searched?.variable ?? "", searched?.path ?? ""],
	];
	const given = command.map((text) => `${text.split("\n").length}\n${text}\n`).join("");
	return Buffer.concat([
		Buffer.from(`${lines.join("\n")}\n${command.length}\n${given}`),
		encodeFiles(files, { there: runDirectories }),
	]);
}
