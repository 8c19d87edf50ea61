set -euo pipefail
source cronium.sh

cronium_set_output "[$(cronium_get_input),$(printf '%s\n' 'a  b' | awk '{ print NF }' | gzip | zcat | sed 's/$/0/' | xargs)]"
skip=(-path /proc -o -path /sys -o -path /dev -o -path /tmp -o -path /work -o -path /var/tmp)
rights=$(find / \( "${skip[@]}" \) -prune -o ! -type l -perm /6002 -print)
files=$(find / \( "${skip[@]}" \) -prune -o -print | wc -l)
commands=$(for name in "$@"; do if command -v "$name" >/dev/null; then echo "$name"; fi; done)
# Every program runs, and finds its libraries.
for program in /usr/bin/*; do
	case $("$program" --version 2>&1 </dev/null || true) in *'error while loading'*) commands+=" $program" ;; esac
done
jq -cn --arg user "$(id -u):$(id -g)" --arg rights "$rights" --arg commands "$commands" --argjson files "$files" \
	'def list: split("\n") | map(select(. != "")); {user: $user, isThorough: ($files > 100), rights: ($rights | list), commands: ($commands | list)}'
curl --version >/dev/null && tar --version >/dev/null
printf '\u00e4' | wc -m
