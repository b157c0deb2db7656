// Calls Secrets Manager as each line of standard input asks, and answers on a line of standard output.
import { createRequire } from "node:module";
import { createInterface } from "node:readline";

const sdk = createRequire(process.env.PAWL_TEST_NODE_MODULES + "/")("@aws-sdk/client-secrets-manager");
const clients = new Map();

function client(region) {
  if (!clients.has(region)) {
    clients.set(region, new sdk.SecretsManagerClient({ region, endpoint: process.env.AWS_ENDPOINT_URL, maxAttempts: 1 }));
  }
  return clients.get(region);
}

function sent(value) {
  if (Array.isArray(value)) return value.map(sent);
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value).map(([key, item]) =>
    [key, key === "SecretBinary" && typeof item === "string" ? Buffer.from(item, "base64") : sent(item)]));
}

function received(value) {
  if (Array.isArray(value)) return value.map(received);
  if (value instanceof Date) return value.getTime() / 1000;
  if (value instanceof Uint8Array) return Buffer.from(value).toString("base64");
  if (value === null || typeof value !== "object") return value;
  return Object.fromEntries(Object.entries(value)
    .filter(([key, item]) => key !== "$metadata" && item !== undefined)
    .map(([key, item]) => [key, received(item)]));
}

async function call(ask) {
  const Command = sdk[ask.operation + "Command"];
  if (!Command) return { unsayable: "the operation " + ask.operation };
  try {
    return { answer: received(await client(ask.region).send(new Command(sent(ask.input)))) };
  } catch (error) {
    const status = error.$metadata?.httpStatusCode;
    if (!status) return { unsayable: String(error.stack) };
    return { code: error.name, message: error.message, status };
  }
}

for await (const line of createInterface({ input: process.stdin })) {
  process.stdout.write(JSON.stringify(await call(JSON.parse(line))) + "\n");
}
