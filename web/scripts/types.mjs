// Makes src/api/schema.ts, which is not committed, from the OpenAPI document on standard input: `make types` pipes
// `mitalk openapi` into it. Only the schemas are taken; the app names its routes itself, in src/api/routes.ts.
import { writeFileSync } from 'node:fs';
import { json } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import openapi, { astToString } from 'openapi-typescript';

const { paths: _, ...document } = await json(process.stdin);
const types = astToString(await openapi({ ...document, paths: {} }, { alphabetize: true }));
const head = '/** Made by `make types` from the OpenAPI document. Do not edit. */\n\n';
writeFileSync(fileURLToPath(new URL('../src/api/schema.ts', import.meta.url)), head + types);
