// Runs the real `mitalk serve` on a data directory and ports of its own, and talks to its operations listener.

import { spawn } from 'node:child_process';
import dgram from 'node:dgram';
import fs from 'node:fs';
import net from 'node:net';
import os from 'node:os';
import path from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { until } from './wait.mjs';

const BINARY = process.env.MITALK_BIN ?? fileURLToPath(new URL('../../../target/debug/mitalk', import.meta.url));
const START_MS = 60_000;

async function freeTcpPort() {
  const server = net.createServer();
  await new Promise((resolve, reject) => server.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  await new Promise(resolve => server.close(resolve));
  return port;
}

async function freeUdpPort() {
  const socket = dgram.createSocket('udp4');
  await new Promise(resolve => socket.bind(0, '127.0.0.1', resolve));
  const { port } = socket.address();
  await new Promise(resolve => socket.close(resolve));
  return port;
}

export class Server {
  #process;
  #lines = [];
  #codes = [];

  /** Starts a server with an empty data directory. `set` are further configuration keys. */
  static async start(set = {}) {
    const server = new Server();
    server.dir = fs.mkdtempSync(path.join(os.tmpdir(), 'mitalk-browser-'));
    const [http, operations, media] = [await freeTcpPort(), await freeTcpPort(), await freeUdpPort()];
    server.url = `http://127.0.0.1:${http}`;
    server.operations = `http://127.0.0.1:${operations}`;
    server.settings = {
      'storage.data_dir': server.dir,
      'http.listen': `127.0.0.1:${http}`,
      'operations.listen': `127.0.0.1:${operations}`,
      'media.bind': `["127.0.0.1:${media}"]`,
      // All people of a test share one address.
      'rates.per_address_rps': 1000,
      'rates.per_address_burst': 5000,
      'limits.codes.per_address_and_hour': 1000,
      'log.format': 'json',
      ...set,
    };
    await server.run();
    return server;
  }

  /** Starts the process (again) and waits until it is ready. */
  async run() {
    if (!fs.existsSync(BINARY)) throw new Error(`${BINARY} is missing: run \`cargo build --bins\`, or set MITALK_BIN`);
    const flags = Object.entries(this.settings).flatMap(([key, value]) => ['--set', `${key}=${value}`]);
    // The tests' own variables are no configuration of the server.
    const env = Object.fromEntries(Object.entries(process.env).filter(([name]) => !name.startsWith('MITALK_')));
    const child = spawn(BINARY, ['serve', ...flags], { cwd: this.dir, env, stdio: ['ignore', 'pipe', 'pipe'] });
    this.#process = child;
    for (const stream of [child.stdout, child.stderr]) createInterface({ input: stream }).on('line', line => this.#read(line));
    child.once('exit', (code, signal) => this.#lines.push(`(exit code ${code}, signal ${signal})`));
    await until(async () => {
      if (child.exitCode !== null) throw new Error(`the server ended:\n${this.#lines.slice(-20).join('\n')}`);
      return fetch(`${this.operations}/readyz`).then(r => r.ok, () => false);
    }, { what: () => `the server to be ready:\n${this.#lines.slice(-20).join('\n')}`, withinMs: START_MS });
  }

  /** Ends the process: SIGTERM as an operator would, SIGKILL as a power cut would. */
  async stop(signal = 'SIGTERM') {
    const child = this.#process;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const gone = new Promise(resolve => child.once('exit', resolve));
    child.kill(signal);
    await gone;
  }

  /** Ends it for good and removes its files; after a failed test the log is kept, and its path printed. */
  async dispose({ failed = false } = {}) {
    await this.stop('SIGKILL');
    if (failed) {
      const log = path.join(os.tmpdir(), `${path.basename(this.dir)}.log`);
      fs.writeFileSync(log, `${this.#lines.join('\n')}\n`);
      console.error(`server log kept: ${log}`);
    }
    fs.rmSync(this.dir, { recursive: true, force: true });
  }

  #read(line) {
    this.#lines.push(line);
    if (!line.includes('one-time code')) return;
    const code = /"code":"(\d{6})"/.exec(line)?.[1] ?? /\bcode="?(\d{6})/.exec(line)?.[1];
    if (code) this.#codes.push(code);
  }

  /** The one-time code that `ask` caused to be sent. */
  async codeAfter(ask) {
    const before = this.#codes.length;
    await ask();
    await until(() => this.#codes.length > before, { what: 'a one-time code in the server\'s log' });
    return this.#codes.at(-1);
  }

  /** Calls the admin API; throws on anything but success. */
  async admin(method, route, body) {
    const token = fs.readFileSync(path.join(this.dir, 'admin-token'), 'utf8').trim();
    const response = await fetch(`${this.operations}/admin/v1${route}`, {
      method,
      headers: { authorization: `Bearer ${token}`, ...(body && { 'content-type': 'application/json' }) },
      body: body && JSON.stringify(body),
    });
    const text = await response.text();
    if (!response.ok) throw new Error(`${method} ${route}: ${response.status} ${text}`);
    return text ? JSON.parse(text) : undefined;
  }

  phase(phase) {
    return this.admin('PUT', '/phase', { phase });
  }

  allow(...phones) {
    return this.admin('POST', '/allow-list', { entries: phones.map(phone => ({ phone, enabled: true })) });
  }
}
