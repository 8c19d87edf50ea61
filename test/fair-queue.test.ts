import { describe, expect, test } from "vitest";
import { FairQueue, keptPlaces } from "../host/fair-queue.ts";

/** Jobs are texts that begin with their owner. */
function openQueue(places: number, maxOwnerPlaces = places) {
	const queue = new FairQueue<string>({ places, maxOwnerPlaces });
	return {
		queue,
		add: (...jobs: string[]) => jobs.forEach((job) => void queue.add(job.slice(0, 1), job)),
		/** All that may have a place now. */
		take: (): string[] => {
			const taken: string[] = [];
			for (let job = queue.next(); job !== undefined; job = queue.next()) taken.push(job);
			return taken;
		},
	};
}

describe("a fair queue", () => {
	test("keeps an eighth of the places for owners who have none, and one at least where there are two", () => {
		expect([1, 2, 4, 8, 9, 10, 17, 18, 128].map(keptPlaces)).toEqual([0, 1, 1, 1, 1, 2, 2, 3, 16]);
	});

	test("gives one owner all places but the kept one, and that one to the next owner at once", () => {
		const { queue, add, take } = openQueue(4);
		add("a1", "a2", "a3", "a4", "a5");
		expect(take()).toEqual(["a1", "a2", "a3"]);
		expect(queue.hasNext).toBe(false);
		add("b1", "b2");
		expect(queue.hasNext).toBe(true);
		expect(take()).toEqual(["b1"]);
		// Every place is taken now; the first that is free is kept again.
		add("c1");
		expect(take()).toEqual([]);
		queue.release("a");
		expect(take()).toEqual(["c1"]);
		queue.release("a");
		expect(take()).toEqual([]);
		queue.release("c");
		// `a` and `b` have one each, and `b` has waited longer.
		expect(take()).toEqual(["b2"]);
		expect(queue.size).toBe(2);
	});

	test("of a single place has nothing to keep", () => {
		const { queue, add, take } = openQueue(1);
		add("a1", "a2", "b1");
		expect(take()).toEqual(["a1"]);
		queue.release("a");
		expect(take()).toEqual(["b1"]);
	});

	test("gives the next place to the owner who has the fewest, among equals in turn, and keeps the order of each", () => {
		const { queue, add, take } = openQueue(8);
		add("a1", "a2", "a3", "a4", "b1", "b2", "b3", "c1", "c2");
		expect(take()).toEqual(["a1", "b1", "c1", "a2", "b2", "c2", "a3"]);
		// `b` has one place now, `a` three: it is not the turn of who waits longest.
		queue.release("b");
		queue.release("c");
		add("c3");
		expect(take()).toEqual(["b3", "c3"]);
	});

	test("serves everyone in turn where there are more owners than places, whatever comes meanwhile", () => {
		const { queue, add } = openQueue(2);
		const owners = [..."abcdefghij"];
		for (const owner of owners) add(`${owner}1`, `${owner}2`, `${owner}3`);
		const order: string[] = [];
		const running = [queue.next() as string, queue.next() as string];
		for (let job = running.shift(); job !== undefined; job = running.shift()) {
			order.push(job.slice(0, 1));
			// Each has always more.
			if (order.length < 50) add(`${job}+`);
			queue.release(job.slice(0, 1));
			const next = queue.next();
			if (next !== undefined && order.length < 50) running.push(next);
		}
		for (let round = 0; round < 4; round++) expect(new Set(order.slice(round * 10, round * 10 + 10)).size).toBe(10);
	});

	test("gives no owner more than its limit, however many places are free", () => {
		const { queue, add, take } = openQueue(8, 2);
		add("a1", "a2", "a3", "b1", "b2", "b3");
		expect(take()).toEqual(["a1", "b1", "a2", "b2"]);
		queue.release("a");
		expect(take()).toEqual(["a3"]);
	});

	test("forgets a job that is taken back, and keeps the turns of the others", () => {
		const { queue, add, take } = openQueue(1);
		add("a1", "a2", "a3", "b1");
		expect(queue.delete("a", "a1")).toBe(true);
		expect(queue.delete("a", "a1")).toBe(false);
		expect(queue.delete("none", "x")).toBe(false);
		expect(take()).toEqual(["a2"]);
		// It has its place, and is no longer in the queue.
		expect(queue.delete("a", "a2")).toBe(false);
		expect(queue.delete("b", "b1")).toBe(true);
		expect(queue.delete("a", "a3")).toBe(true);
		expect([queue.size, queue.hasNext]).toEqual([0, false]);
		// An owner whose last job was taken back comes again.
		add("a4");
		queue.release("a");
		expect(take()).toEqual(["a4"]);
		queue.release("a");
		expect(() => queue.release("a")).toThrow("a has no place to give back");
	});

	test("empties itself, and takes back the places of what is under way", () => {
		const { queue, add, take } = openQueue(2);
		add("a1", "a2", "b1", "b2");
		take();
		expect(queue.clear().sort()).toEqual(["a2", "b2"]);
		expect(queue.size).toBe(0);
		queue.release("a");
		queue.release("b");
		add("a3");
		expect(take()).toEqual(["a3"]);
	});

	test("gives out everything once, in the order of its owner, however much waits and is taken back", () => {
		const queue = new FairQueue<{ readonly owner: string; readonly number: number }>({ places: 8, maxOwnerPlaces: 8 });
		const total = 200_000;
		const jobs = Array.from({ length: total }, (_, number) => ({ owner: `owner-${number % 3}`, number }));
		for (const job of jobs) queue.add(job.owner, job);
		for (const job of jobs) if (job.number % 5 === 0) expect(queue.delete(job.owner, job)).toBe(true);
		const last = new Map<string, number>();
		let taken = 0;
		for (let job = queue.next(); job; job = queue.next()) {
			if (job.number % 5 === 0 || job.number <= (last.get(job.owner) ?? -1)) expect.fail(`${job.number} came at the wrong time`);
			last.set(job.owner, job.number);
			queue.release(job.owner);
			taken += 1;
		}
		expect(taken).toBe(total - total / 5);
	});
});
