/**
 * The one shape of every error: an RFC 9457 problem document, whether the server sent it or the network failed.
 * Screens look at `code` only, and translate it; they never show a server's sentence that has no code they know.
 */
import type { Problem as Served } from './types';

/** Codes that are made here, because no answer came: everything else comes from the server. */
export const NETWORK = 'network';
const BAD_ANSWER = 'bad_answer';

/** As served, or made here. A newer server may have codes that this app does not know. */
export type Problem = Omit<Served, 'code'> & { code: string };

export class ApiError extends Error {
  readonly problem: Problem;

  constructor(problem: Problem) {
    super(problem.code);
    this.name = 'ApiError';
    this.problem = problem;
  }

  get code(): string {
    return this.problem.code;
  }
}

export function networkError(): ApiError {
  return new ApiError({ type: 'about:blank', title: '', status: 0, code: NETWORK });
}

/** The problem of an answer that is not 2xx; proxies in between answer without a document. */
export async function problemOf(response: Response): Promise<ApiError> {
  const fallback = { type: 'about:blank', title: response.statusText, status: response.status, code: BAD_ANSWER };
  const header = Number(response.headers.get('retry-after')) || undefined;
  try {
    const body = (await response.json()) as Partial<Problem>;
    return new ApiError({ ...fallback, retry_after: header, ...body });
  } catch {
    return new ApiError({ ...fallback, retry_after: header });
  }
}

/** Whether waiting may help: no answer came, or the service has too much to do. */
export function mayPass(error: unknown): boolean {
  return !(error instanceof ApiError) || passes(error.code, error.problem.status);
}

export function passes(code: string, status: number): boolean {
  return code === NETWORK || status >= 500 || status === 429 || status === 408;
}

export function codeOf(error: unknown): string {
  return error instanceof ApiError ? error.code : BAD_ANSWER;
}
