/**
 * What waits in a container for its one job: reads a program and its arguments from standard input and becomes that program. Nothing that it reads
 * is ever parsed as a command. A host that goes ends it: what it waits for ends.
 */
export const launcher = `IFS= read -r count || exit 125
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
exec "$@" </dev/null`;

/** What the launcher is sent: how many texts, and of each how many lines it has, and these. No text may hold a NUL. */
export function encodeCommand(command: readonly string[]): string {
	const texts = command.map((text) => `${text.split("\n").length}\n${text}\n`);
	return `${command.length}\n${texts.join("")}`;
}
