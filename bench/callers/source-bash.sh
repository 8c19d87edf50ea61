# Milliseconds that `source` of the SDK takes in a fresh Bash: source-bash.sh SDK. Twice, because it needs no modules.
started=${EPOCHREALTIME/[.,]/}
source "$1"
took=$((${EPOCHREALTIME/[.,]/} - started))
printf '[%d.%03d,%d.%03d]\n' $((took / 1000)) $((took % 1000)) $((took / 1000)) $((took % 1000))
