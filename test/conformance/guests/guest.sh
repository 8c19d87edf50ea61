# A guest with the Bash SDK: its file is the first argument. Messages end with NUL: `enter` and settings, `call` and a command, or `leave`. A
# call is answered by its status, what it printed, what it said on standard error, and the version and the limit that an error named.
sdk=$1
cronium_test_directory=$(mktemp -d) || exit
trap 'rm -rf "$cronium_test_directory"' EXIT

answer() {
	printf '%s\0' "$1"
	cat "$cronium_test_directory/stdout"
	printf '\0'
	cat "$cronium_test_directory/stderr"
	printf '\0%s\0%s\0' "${CRONIUM_CURRENT_VERSION-}" "${CRONIUM_ERROR_LIMIT-}"
}

run_command() { eval "$1"; }

serve_run() {
	local kind text status
	while IFS= read -r -d '' kind && IFS= read -r -d '' text && [[ $kind == call ]]; do
		status=0
		CRONIUM_CURRENT_VERSION='' CRONIUM_ERROR_LIMIT=''
		run_command "$text" >"$cronium_test_directory/stdout" 2>"$cronium_test_directory/stderr" </dev/null || status=$?
		answer "$status"
	done
}

while IFS= read -r -d '' kind && IFS= read -r -d '' text; do
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
