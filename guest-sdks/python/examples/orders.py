"""Adds up the orders of its input: {"orders":[{"total":12.5}, …]}"""

import cronium

orders = cronium.get_input()["orders"]
revenue = round(sum(order["total"] for order in orders), 2)
threshold = cronium.get_variable("revenue-threshold")
cronium.set_condition(revenue >= (100 if threshold is None else threshold))

runs = cronium.increment_variable("runs")
cronium.log.info("Orders read", {"orders": len(orders)})
cronium.set_output({"orders": len(orders), "revenue": revenue, "runs": runs})
