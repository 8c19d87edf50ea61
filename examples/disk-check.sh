#!/usr/bin/env bash
# Looks how full the disks of a host are. The input is the percentage from which on a disk is full. Where it may write variables it keeps what it has found.
set -euo pipefail
source cronium.sh

full=$(cronium_get_input)
if [[ $full == null ]]; then full=90; else full=$(cronium_number "$full"); fi
name=$(uname -n)

read -r used mount < <(df -P -k 2>/dev/null | awk 'NR > 1 && $2 > 0 { sub(/%/, "", $5); if ($5 >= most) { most = $5; at = $6 } } END { print most + 0, at }')
found="{\"host\":$(cronium_string "$name"),\"fullest\":$(cronium_string "$mount"),\"usedPercent\":$used}"
cronium_log_info 'Disks read' "$found"
if ((used >= full)); then cronium_set_condition true; else cronium_set_condition false; fi

# Least rights are usual on SSH hosts: an agent, or the operator, gives more.
kept=true
cronium_set_variable "disk/$name" "$found" >/dev/null || kept=false
cronium_set_output "{\"found\":$found,\"kept\":$kept}"
