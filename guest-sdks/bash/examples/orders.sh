#!/usr/bin/env bash
# Adds up the orders of its input: {"orders":[{"total":12.5}, …]}
set -euo pipefail
source cronium.sh

orders=$(cronium_get_input)
count=0 cents=0
while IFS= read -r order; do
	total=$(cronium_member "$order" total)
	# Bash has whole numbers only.
	total=$(awk -v total="$total" 'BEGIN { printf "%.0f", total * 100 }')
	count=$((count + 1)) cents=$((cents + total))
done < <(cronium_elements "$(cronium_member "$orders" orders)")

printf -v revenue '%d.%02d' $((cents / 100)) $((cents % 100))
threshold=$(cronium_get_variable revenue-threshold)
reached=false
awk -v revenue="$revenue" -v threshold="${threshold:-100}" 'BEGIN { exit !(revenue >= threshold) }' && reached=true
cronium_set_condition "$reached"

runs=$(cronium_increment_variable runs)
cronium_log_info 'Orders read' "{\"orders\":$count}"
cronium_set_output "{\"orders\":$count,\"revenue\":$revenue,\"runs\":$runs}"
