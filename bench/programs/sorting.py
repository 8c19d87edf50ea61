"""Dictionaries and lists: records that are grouped, sorted and summed up."""


def run():
    records = [{"id": i, "group": i * 7919 % 97, "price": i * 104729 % 10007, "name": f"item {i * 31 % 1009}"} for i in range(30000)]
    groups = {}
    for record in records:
        groups.setdefault(record["group"], []).append(record)
    totals = {group: sum(record["price"] for record in members) for group, members in groups.items()}
    records.sort(key=lambda record: (record["name"], -record["price"], record["id"]))
    return [sorted(totals.items(), key=lambda item: item[1])[:5], [record["id"] for record in records[:10]]]
