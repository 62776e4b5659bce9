// Spends a user's credits from JavaScript: node examples/spend.mjs USER_ID [AMOUNT [KEY [APP]]]
// Once before: npm --prefix clients/js ci. MANA_AMQP_URL is the address, with the login in it.
// Prints the ledger's answer; exits with 1 where that is no.
import { randomUUID } from "node:crypto";
import { createRequire } from "node:module";

const amqplib = createRequire(new URL("../clients/js/package.json", import.meta.url))("amqplib");
const REPLIES = "amq.rabbitmq.reply-to";

// The ledger's answer, as JSON. Rejects without one: then call again with the same key.
async function spend(url, userId, amount, key, app) {
  const connection = await amqplib.connect(url);
  try {
    const channel = await connection.createConfirmChannel();
    const answer = new Promise((resolve, reject) => {
      setTimeout(() => reject(new Error("no answer in time")), 10_000).unref();
      connection.on("error", reject);
      channel.on("error", reject);
      channel.on("return", () => reject(new Error("no queue takes commands")));
      channel.consume(REPLIES, (message) => resolve(message.content.toString()), { noAck: true }).catch(reject);
    });
    const command = { userId, amount, appId: app, description: "GPT answer", idempotencyKey: key };
    channel.publish("credits.commands", userId, Buffer.from(JSON.stringify(command)), {
      type: "credits.use",
      contentType: "application/json",
      persistent: true,
      mandatory: true,
      userId: decodeURIComponent(new URL(url).username),
      correlationId: key,
      replyTo: REPLIES,
    });
    await Promise.all([channel.waitForConfirms(), answer]);
    return await answer;
  } finally {
    await connection.close().catch(() => {}); // it may be the connection that failed
  }
}

const [userId, amount = "3", key = randomUUID(), app = process.env.APP_ID ?? "chat", ...more] = process.argv.slice(2);
const url = process.env.MANA_AMQP_URL;
if (!url || !userId || !/^[0-9]+$/.test(amount) || more.length > 0) {
  console.error("usage: MANA_AMQP_URL=amqp://… node examples/spend.mjs USER_ID [AMOUNT [KEY [APP]]]");
  process.exit(2);
}
const answer = await spend(url, userId, Number(amount), key, app);
console.log(answer);
process.exitCode = JSON.parse(answer).ok ? 0 : 1;
