"""JSON: orders that are written and read again."""

import json


def run():
    orders = [
        {"number": i, "customer": {"name": f"Customer {i}", "vip": i % 3 == 0}, "items": [{"price": i * 0.25, "quantity": q} for q in range(5)]}
        for i in range(1500)
    ]
    text = ""
    for _ in range(3):
        text = json.dumps(orders, ensure_ascii=False, separators=(",", ":"))
        orders = json.loads(text)
    return [len(text), sum(item["price"] * item["quantity"] for order in orders for item in order["items"])]
