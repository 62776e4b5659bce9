// Buys as a page of your app does: node examples/buy.mjs TOKEN PACKAGE
// Prints where it is paid, and how it stands once that is known. MANA_API_URL is the front's address.
const api = `${process.env.MANA_API_URL}/api/v1`;

async function ask(token, method, path, body, headers = {}) {
  const answer = await fetch(api + path, {
    method,
    headers: { Authorization: `Bearer ${token}`, "Content-Type": "application/json", ...headers },
    body: body && JSON.stringify(body),
  });
  const told = await answer.json();
  if (!answer.ok) throw new Error(`${told.code}: ${told.detail}`);
  return told;
}

// The key names one decision to buy: made when the button is shown, and sent again where no answer came.
async function begin(token, packageId, key) {
  return ask(token, "POST", "/credits/purchases", { packageId }, { "Idempotency-Key": key });
}

// For the page that users come back to. That it was opened says nothing: anybody can open it.
async function decided(token, id) {
  for (let wait = 250; ; wait = Math.min(wait * 2, 8000)) {
    const purchases = await ask(token, "GET", "/credits/purchases");
    const purchase = purchases.find((one) => one.id === id);
    if (purchase.status !== "pending") return purchase;
    await new Promise((resolve) => setTimeout(resolve, wait));
  }
}

const [token, packageId] = process.argv.slice(2);
if (!process.env.MANA_API_URL || !packageId) {
  console.error("usage: MANA_API_URL=http://… node examples/buy.mjs TOKEN PACKAGE");
  process.exit(2);
}
try {
  const { purchase, checkoutUrl } = await begin(token, packageId, crypto.randomUUID());
  console.log(checkoutUrl); // a page: location.assign(checkoutUrl)
  const { status, credits } = await decided(token, purchase.id);
  console.log(`${status}: ${credits} credits`);
} catch (error) {
  console.error(error.cause ? `${error.message}: ${error.cause.message || error.cause.code}` : error.message);
  process.exitCode = 1;
}
