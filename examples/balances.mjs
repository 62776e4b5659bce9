// Keeps every user's balance from events alone: node examples/balances.mjs FILE [QUEUE], until SIGTERM or Ctrl-C.
// Once before: npm --prefix clients/js ci. MANA_AMQP_URL is the address, with the login in it.
//
// The queue collects events also while nobody reads. An event that was not acknowledged comes again: so each one is
// acknowledged when FILE holds what came of it, and whatever ends this program, the next start goes on from there.
import { existsSync } from "node:fs";
import { createRequire } from "node:module";
import { open, readFile, rename } from "node:fs/promises";
import { setTimeout as sleep } from "node:timers/promises";

const amqplib = createRequire(new URL("../clients/js/package.json", import.meta.url))("amqplib");

// The old file or the new one, never half of one.
async function store(file, state) {
  const fresh = await open(`${file}.new`, "w");
  await fresh.writeFile(JSON.stringify(state));
  await fresh.sync();
  await fresh.close();
  await rename(`${file}.new`, file);
}

function take(state, event) {
  if (event.sequence === undefined) return; // it tells of no transaction
  const user = state.users[event.subject] ?? { sequence: 0, balance: 0, freeCreditsRemaining: 0 };
  if (event.sequence <= user.sequence) {
    state.repeats += 1;
    return;
  }
  const { transaction, balance } = event.data;
  const had = user.balance + user.freeCreditsRemaining;
  if (event.sequence !== user.sequence + 1 || transaction.balanceBefore !== had) {
    state.gaps += 1;
    const found = `${event.sequence}, from ${transaction.balanceBefore} credits`;
    console.error(`gap: user ${event.subject} had ${user.sequence}, with ${had} credits; then came ${found}`);
  }
  const { sequence, subject } = event;
  state.users[subject] = { sequence, balance: balance.balance, freeCreditsRemaining: balance.freeCreditsRemaining };
  state.events += 1;
}

// Until SIGTERM. Rejects where the connection is lost.
async function watch(url, queue, file, state, end) {
  const connection = await amqplib.connect(url);
  const arrived = [];
  let lost = null;
  connection.on("error", (error) => (lost = error));
  connection.on("close", (error) => (lost ??= error ?? new Error("connection closed")));
  try {
    const channel = await connection.createChannel();
    channel.on("error", (error) => (lost = error));
    await channel.prefetch(1000);
    await channel.assertQueue(queue, { durable: true, arguments: { "x-queue-type": "quorum" } });
    await channel.bindQueue(queue, "credits.events", "credits.#");
    await channel.consume(queue, (message) => arrived.push(message));
    console.log(`reading ${queue}: ${state.events} events before, ${state.repeats} repeats`);
    while (!end.asked) {
      await sleep(200); // what has come meanwhile is stored at once, and not each event by itself
      const batch = arrived.splice(0);
      if (batch.includes(null)) throw new Error("the queue is gone");
      if (batch.length > 0) {
        for (const message of batch) take(state, JSON.parse(message.content));
        await store(file, state);
        channel.ack(batch.at(-1), true); // this one and all before it
      }
      if (lost) throw lost;
    }
  } finally {
    await connection.close().catch(() => {}); // it may be the connection that failed
  }
}

const [file, queue = "chat.balances", ...more] = process.argv.slice(2);
const url = process.env.MANA_AMQP_URL;
if (!url || !file || more.length > 0) {
  console.error("usage: MANA_AMQP_URL=amqp://… node examples/balances.mjs FILE [QUEUE]");
  process.exit(2);
}
const end = { asked: false };
for (const signal of ["SIGTERM", "SIGINT"]) process.on(signal, () => (end.asked = true));
const state = existsSync(file) ? JSON.parse(await readFile(file)) : { users: {}, events: 0, repeats: 0, gaps: 0 };
while (!end.asked) {
  try {
    await watch(url, queue, file, state, end);
  } catch (error) {
    console.error(`${error.message}: connecting again in a second`);
    await sleep(1000);
  }
}
const { events, users, repeats, gaps } = state;
console.log(`${events} events of ${Object.keys(users).length} users, ${repeats} repeats, ${gaps} gaps`);
