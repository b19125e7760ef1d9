// Starts aimock on a free port of 127.0.0.1, prints its URL as one line, and ends when its standard input does:
// so it cannot outlive the tests, however they end.
import { fileURLToPath } from "node:url";
import { createServer, loadFixturesFromDir, validateFixtures } from "@copilotkit/aimock";

const fixtures = loadFixturesFromDir(fileURLToPath(new URL("fixtures", import.meta.url)));
const problems = validateFixtures(fixtures);
if (fixtures.length === 0 || problems.length > 0) {
  console.error(`fixtures: ${fixtures.length}, problems: ${JSON.stringify(problems)}`);
  process.exit(1);
}
const instance = await createServer(fixtures, {
  host: "127.0.0.1",
  port: 0,
  auth: { apiKeys: ["test"] },
});
process.stdin.on("end", () => process.exit(0)).resume();
console.log(instance.url);
