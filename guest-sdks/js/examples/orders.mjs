// Adds up the orders of its input: {"orders":[{"total":12.5}, …]}
import { getInput, getVariable, incrementVariable, log, setCondition, setOutput } from "cronium";

const { orders } = await getInput();
const revenue = Math.round(orders.reduce((sum, { total }) => sum + total, 0) * 100) / 100;
const threshold = (await getVariable("revenue-threshold")) ?? 100;
await setCondition(revenue >= threshold);

const runs = await incrementVariable("runs");
await log.info("Orders read", { orders: orders.length });
await setOutput({ orders: orders.length, revenue, runs });
