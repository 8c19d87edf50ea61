import { getVariable, incrementVariable, log, setCondition, setVariable } from "cronium";

interface LineItem {
	readonly sku: string;
	readonly quantity: number;
	/** In cents: sums of cents are exact. */
	readonly unitPriceCents: number;
}

interface Order {
	readonly id: string;
	readonly customer: { readonly id: string; readonly name: string };
	/** The day of the order, `2026-03-14`. */
	readonly date: string;
	readonly status: "paid" | "refunded";
	readonly currency: "EUR";
	readonly items: readonly LineItem[];
}

interface Input {
	readonly orders: readonly Order[];
	/** Revenue in euros from which the condition holds. The variable `revenue-threshold` goes before it. */
	readonly threshold?: number;
}

/** Reports on a batch of orders: revenue, the best customers, and whether it was a good quarter. */
export default async function report({ orders, threshold: usual = 50_000 }: Input) {
	const paid = orders.filter(({ status }) => status === "paid");
	const refunded = orders.filter(({ status }) => status === "refunded");
	const revenueCents = sum(paid.map(total));
	await log.info("Orders read", { orders: orders.length, paid: paid.length, refunded: refunded.length });

	const threshold = (await getVariable<number>("revenue-threshold")) ?? usual;
	const reached = euros(revenueCents) >= threshold;
	await setCondition(reached);
	if (!reached) await log.warn("Revenue is below the threshold", { revenue: euros(revenueCents), threshold });

	const previous = await getVariable<number>("last-revenue");
	await setVariable("last-revenue", euros(revenueCents));
	const runs = await incrementVariable("runs");

	return {
		runs,
		orders: orders.length,
		period: period(orders),
		revenue: euros(revenueCents),
		averageOrder: paid.length === 0 ? 0 : euros(Math.round(revenueCents / paid.length)),
		refunds: { orders: refunded.length, amount: euros(sum(refunded.map(total))) },
		changeSinceLastRun: previous === null ? null : euros(revenueCents - Math.round(previous * 100)),
		threshold: { amount: threshold, reached },
		topCustomers: rankCustomers(paid).slice(0, 5),
	};
}

function rankCustomers(orders: readonly Order[]) {
	const byId = new Map<string, { name: string; orders: number; cents: number }>();
	for (const order of orders) {
		const { id, name } = order.customer;
		const customer = byId.get(id) ?? { name, orders: 0, cents: 0 };
		customer.orders += 1;
		customer.cents += total(order);
		byId.set(id, customer);
	}
	return [...byId.values()]
		.sort((a, b) => b.cents - a.cents || a.name.localeCompare(b.name))
		.map(({ name, orders, cents }) => ({ name, orders, total: euros(cents) }));
}

function period(orders: readonly Order[]) {
	const days = orders.map(({ date }) => date).sort();
	return days.length === 0 ? null : { from: days[0], to: days.at(-1) };
}

const total = ({ items }: Order): number => sum(items.map(({ quantity, unitPriceCents }) => quantity * unitPriceCents));

const sum = (amounts: readonly number[]): number => amounts.reduce((result, amount) => result + amount, 0);

const euros = (cents: number): number => cents / 100;
