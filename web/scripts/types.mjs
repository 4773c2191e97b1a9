// Makes src/api/schema.ts from the server's OpenAPI document: `npm run types [file]`, where the file is what
// `mitalk openapi` prints. Only the schemas are taken; the app names its routes itself, in src/api/routes.ts.
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import openapi, { astToString } from 'openapi-typescript';

const [file = 'openapi.json'] = process.argv.slice(2);
const { paths: _, ...document } = JSON.parse(readFileSync(file, 'utf8'));
const types = astToString(await openapi({ ...document, paths: {} }, { alphabetize: true }));
const head = '/** Made by `npm run types` from the OpenAPI document. Do not edit. */\n\n';
writeFileSync(fileURLToPath(new URL('../src/api/schema.ts', import.meta.url)), head + types);
