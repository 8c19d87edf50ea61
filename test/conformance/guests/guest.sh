# A guest with the Bash SDK: its file is the first argument. A message is a line, with its kind and the number of the bytes that follow: `enter` and settings,
# `call` and a command, or `leave`. A call is answered by its status, what it printed, what it said on standard error, and the version and the limit that an
# error named, each with a NUL at its end.
sdk=$1
cronium_test_directory=$(mktemp -d) || exit
trap 'rm -rf "$cronium_test_directory"' EXIT

# Sets kind and text. A text whose end had to be looked for would be read byte by byte.
next_message() {
	local length
	read -r kind length && LC_ALL=C IFS= read -r -N "$length" text
}

answer() {
	printf '%s\0' "$1"
	print_file "$cronium_test_directory/stdout"
	printf '\0'
	print_file "$cronium_test_directory/stderr"
	printf '\0%s\0%s\0' "${CRONIUM_CURRENT_VERSION-}" "${CRONIUM_ERROR_LIMIT-}"
}

# Short ones without a process.
print_file() {
	local LC_ALL=C text
	if IFS= read -r -N 65536 text <"$1"; then cat "$1"; else printf '%s' "$text"; fi
}

run_command() { eval "$1"; }

serve_run() {
	local kind text status
	while next_message && [[ $kind == call ]]; do
		status=0
		CRONIUM_CURRENT_VERSION='' CRONIUM_ERROR_LIMIT=''
		run_command "$text" >"$cronium_test_directory/stdout" 2>"$cronium_test_directory/stderr" </dev/null || status=$?
		answer "$status"
	done
}

while next_message; do
	# A subshell for each run: what the SDK keeps belongs to one.
	(
		trap - EXIT
		eval "$text"
		# shellcheck source=/dev/null
		. "$sdk" || exit
		printf 'entered\0'
		serve_run
	)
done
