// A process that uses the S3 server and ends as radosgw.test.ts tells it.
import { startRadosgw } from "./radosgw-server.ts";

const { endpoint, folder } = await startRadosgw();
process.stdout.write(`${JSON.stringify({ folder, port: Number(new URL(endpoint).port) })}\n`);
// Time for the line to leave.
if (process.argv[2] === "exit") setTimeout(() => process.exit(3), 50);
else setInterval(() => {}, 1000);
