// Makes src/api/schema.ts, which is not committed, from the OpenAPI document on standard input: `make types` pipes
// `mitalk openapi` into it. Only the schemas are taken; the app names its routes itself, in src/api/routes.ts.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import openapi, { astToString } from 'openapi-typescript';

const STDIN = 0;
const { paths: _, ...document } = JSON.parse(readFileSync(STDIN, 'utf8'));
const types = astToString(await openapi({ ...document, paths: {} }, { alphabetize: true }));
const head = '/** Made by `make types` from the OpenAPI document. Do not edit. */\n\n';
writeFileSync(fileURLToPath(new URL('../src/api/schema.ts', import.meta.url)), head + types);
