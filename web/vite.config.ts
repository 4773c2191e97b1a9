/**
 * One page and one service worker. The worker's list of files is known only after bundling, so a small plugin writes
 * it in. Nothing is inlined: the server's Content-Security-Policy allows scripts and styles from its own origin only.
 */
import { createHash } from 'node:crypto';
import type { Plugin } from 'vite';
import { defineConfig } from 'vitest/config';

/** Fills `__SHELL__` (files to cache) and `__VERSION__` (changes when any of them does) of `src/sw.ts`. */
function shellList(): Plugin {
  return {
    name: 'shell-list',
    apply: 'build',
    enforce: 'post',
    generateBundle(_, bundle) {
      const files = Object.keys(bundle).filter((file) => file.startsWith('assets/'));
      const version = createHash('sha256').update(files.sort().join('\n')).digest('hex').slice(0, 12);
      const shell = ['/', '/manifest.webmanifest', '/icon.svg', ...files.map((file) => `/${file}`)];
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
