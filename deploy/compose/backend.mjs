// A backend that says its name, over HTTP.
import { createServer } from 'node:http';

const name = process.env.NAME ?? 'nobody';
const server = createServer((_, response) => response.end(`${name}\n`));
server.listen(Number(process.env.PORT ?? 8080));
// As the first process of a container it has no handler of its own.
process.once('SIGTERM', () => process.exit(0));
