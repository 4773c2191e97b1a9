/** The calling code that a person most likely types first, by the region of their browser's language. */
const CODES: Record<string, string> = Object.fromEntries(
  (
    'US1 CA1 GB44 IE353 DE49 AT43 CH41 FR33 BE32 NL31 LU352 IT39 ES34 PT351 PL48 CZ420 SK421 HU36 RO40 BG359 GR30 ' +
    'DK45 SE46 NO47 FI358 EE372 LV371 LT370 UA380 TR90 IL972 AE971 SA966 EG20 ZA27 NG234 KE254 IN91 PK92 BD880 LK94 ' +
    'CN86 HK852 TW886 MO853 JP81 KR82 SG65 MY60 ID62 TH66 VN84 PH63 AU61 NZ64 BR55 MX52 AR54 CL56 CO57 PE51'
  )
    .split(' ')
    .map((entry) => [entry.slice(0, 2), entry.slice(2)]),
);

export function likelyPrefix(languages: readonly string[]): string {
  for (const tag of languages) {
    const code = CODES[regionOf(tag)];
    if (code) return `+${code} `;
  }
  return '+';
}

/** Browsers have been seen to give languages that are none. */
function regionOf(tag: string): string {
  try {
    return new Intl.Locale(tag).maximize().region ?? '';
  } catch {
    return '';
  }
}
