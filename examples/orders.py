"""Reports on a batch of orders: revenue, the best customers, and whether it was a good quarter. Input and output are those of orders.ts."""

from decimal import ROUND_HALF_UP, Decimal

import cronium


def report(orders, threshold=50_000):
    paid = [order for order in orders if order["status"] == "paid"]
    refunded = [order for order in orders if order["status"] == "refunded"]
    revenue = euros(sum(map(cents, paid)))
    cronium.log.info("Orders read", {"orders": len(orders), "paid": len(paid), "refunded": len(refunded)})

    own = cronium.get_variable("revenue-threshold")
    if own is not None:
        threshold = own
    reached = revenue >= threshold
    cronium.set_condition(reached)
    if not reached:
        cronium.log.warn("Revenue is below the threshold", {"revenue": revenue, "threshold": threshold})

    previous = cronium.get_variable("last-revenue")
    cronium.set_variable("last-revenue", revenue)

    return {
        "runs": cronium.increment_variable("runs"),
        "orders": len(orders),
        "period": period(orders),
        "revenue": revenue,
        "averageOrder": euros(rounded(Decimal(sum(map(cents, paid))) / len(paid))) if paid else 0,
        "refunds": {"orders": len(refunded), "amount": euros(sum(map(cents, refunded)))},
        "changeSinceLastRun": None if previous is None else euros(sum(map(cents, paid)) - rounded(Decimal(str(previous)) * 100)),
        "threshold": {"amount": threshold, "reached": reached},
        "topCustomers": rank_customers(paid)[:5],
    }


def rank_customers(orders):
    by_id = {}
    for order in orders:
        customer = by_id.setdefault(order["customer"]["id"], {"name": order["customer"]["name"], "orders": 0, "cents": 0})
        customer["orders"] += 1
        customer["cents"] += cents(order)
    ranked = sorted(by_id.values(), key=lambda customer: (-customer["cents"], customer["name"]))
    return [{"name": one["name"], "orders": one["orders"], "total": euros(one["cents"])} for one in ranked]


def period(orders):
    days = sorted(order["date"] for order in orders)
    return {"from": days[0], "to": days[-1]} if days else None


def cents(order):
    """Sums of cents are exact."""
    return sum(item["quantity"] * item["unitPriceCents"] for item in order["items"])


def euros(amount):
    whole, rest = divmod(amount, 100)
    return amount / 100 if rest else whole


def rounded(amount):
    return int(amount.to_integral_value(ROUND_HALF_UP))


cronium.set_output(report(**cronium.get_input()))
