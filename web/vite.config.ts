/**
 * One page and one service worker. The worker's list of files is known only after bundling, so a small plugin writes
 * it in. Nothing is inlined: the server's Content-Security-Policy allows scripts and styles from its own origin only.
 */
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** Of `public/`, as they are. */
const UNHASHED = ['manifest.webmanifest', 'icon.svg'];

/** Fills `__SHELL__` (files to cache) and `__VERSION__` (changes when what is in any of them does) of `src/sw.ts`. */
function shellList(): Plugin {
  return {
    name: 'shell-list',
    apply: 'build',
    enforce: 'post',
    generateBundle(_, bundle) {
      // Their names say what is in them; the page and what is copied keep theirs.
      const files = Object.keys(bundle).filter((file) => file.startsWith('assets/'));
      const page = bundle['index.html'];
      if (page?.type !== 'asset') throw new Error('the page was not built');
      const hash = createHash('sha256').update(files.sort().join('\n')).update(page.source);
      for (const file of UNHASHED) hash.update(readFileSync(new URL(`public/${file}`, import.meta.url)));
      const version = hash.digest('hex').slice(0, 12);
      const shell = ['/', ...UNHASHED.map((file) => `/${file}`), ...files.map((file) => `/${file}`)];
      const worker = bundle['sw.js'];
      if (worker?.type !== 'chunk') throw new Error('the service worker was not built');
      worker.code = worker.code.replace('__SHELL__', JSON.stringify(shell)).replace('__VERSION__', `"${version}"`);
    },
  };
}

export default defineConfig({
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  plugins: [shellList()],
  build: {
    target: 'es2022',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    rolldownOptions: {
      input: { app: 'index.html', sw: 'src/sw.ts' },
      output: {
        entryFileNames: (chunk) => (chunk.name === 'sw' ? 'sw.js' : 'assets/[name]-[hash].js'),
        chunkFileNames: 'assets/[name]-[hash].js',
        assetFileNames: 'assets/[name]-[hash][extname]',
      },
    },
  },
  server: {
    proxy: { '/v1': { target: 'http://127.0.0.1:8080', ws: true }, '/openapi.json': 'http://127.0.0.1:8080' },
  },
  test: { include: ['test/unit/**/*.test.ts'] },
});
