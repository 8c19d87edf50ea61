/**
 * What waits in a container for its one job: reads a program and its arguments from standard input and becomes that program. Nothing that it reads
 * is ever parsed as a command. It says that it waits by an empty line. Its standard input ends when the host has died: then a process that it leaves behind kills all others, which nobody would stop at
 * their deadline. (A script may kill that process; then the next host of the data directory removes the container.)
 */
export const launcher = `echo
IFS= read -r count || exit 125
while [ "$count" -gt 0 ]; do
	IFS= read -r lines && IFS= read -r value || exit 125
	while [ "$lines" -gt 1 ]; do
		IFS= read -r line || exit 125
		value="$value
$line"
		lines=$((lines - 1))
	done
	set -- "$@" "$value"
	count=$((count - 1))
done
unset count lines value line
exec 3<&0
( ( read -r never <&3; kill -KILL -1 ) >/dev/null 2>&1 & )
exec "$@" 3<&- </dev/null`;

/** What the launcher prints when it waits. */
export const launcherReady = "\n";

/** What the launcher is sent: how many texts, and of each how many lines it has, and these. No text may hold a NUL. */
export function encodeCommand(command: readonly string[]): string {
	const texts = command.map((text) => `${text.split("\n").length}\n${text}\n`);
	return `${command.length}\n${texts.join("")}`;
}
