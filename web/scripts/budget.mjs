// Fails the build when the JavaScript of a visit, compressed, is above its budget, or when the service worker, which
// browsers take as one classic script, imports another.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { brotliCompressSync, gzipSync } from 'node:zlib';

const BUDGET_BYTES = 60 * 1024;
const dist = fileURLToPath(new URL('../dist/', import.meta.url));
const scripts = readdirSync(dist, { recursive: true }).filter((file) => file.endsWith('.js'));
let total = 0;
for (const file of scripts) {
  const code = readFileSync(dist + file);
  const gzip = gzipSync(code, { level: 9 }).length;
  total += gzip;
  process.stdout.write(`${file}: ${code.length} bytes, gzip ${gzip}, brotli ${brotliCompressSync(code).length}\n`);
}
process.stdout.write(`JavaScript, gzip: ${total} of ${BUDGET_BYTES} bytes\n`);
if (total > BUDGET_BYTES) {
  process.stderr.write('the JavaScript is above its budget: import less, or load it later\n');
  process.exit(1);
}
if (/\bimport\s*["'{]/.test(readFileSync(`${dist}sw.js`, 'utf8'))) {
  process.stderr.write('sw.js imports a script: it shares a module with the app, and no browser would install it\n');
  process.exit(1);
}
