#!/usr/bin/env bash
# Reports on a batch of orders: revenue, the best customers, and whether it was a good quarter. The input is that of orders.ts.
set -euo pipefail
source cronium.sh

# Sums are made in cents, which are exact.
report=$(cronium_get_input | jq -c '
	def cents: map(.items[] | .quantity * .unitPriceCents) | add // 0;
	(.orders | map(select(.status == "paid"))) as $paid
	| (.orders | map(select(.status == "refunded"))) as $refunded
	| {
		orders: (.orders | length),
		revenue: ($paid | cents / 100),
		refunds: { orders: ($refunded | length), amount: ($refunded | cents / 100) },
		threshold: (.threshold // 50000),
		topCustomers: ($paid | group_by(.customer.id) | map({ name: .[0].customer.name, orders: length, total: (cents / 100) })
			| sort_by(-.total, .name) | .[:5])
	}')
cronium_log_info 'Orders read' "$(jq -c '{ orders, refunded: .refunds.orders }' <<<"$report")"

threshold=$(cronium_get_variable revenue-threshold)
report=$(jq -c --argjson threshold "${threshold:-null}" '.threshold = ($threshold // .threshold) | .reached = (.revenue >= .threshold)' <<<"$report")
cronium_set_condition "$(jq .reached <<<"$report")"

cronium_set_variable last-revenue "$(jq .revenue <<<"$report")" >/dev/null
runs=$(cronium_increment_variable runs)
cronium_set_output "$(jq -c --argjson runs "$runs" '{ runs: $runs } + .' <<<"$report")"
