/**
 * Which region a country belongs to.
 *
 * The four lists that users know are fixed. Every other country goes to the nearest of the four by continent, after the
 * UN's M49 scheme: North and Central America, the Caribbean and the Atlantic islands off them to `us`; the rest of South
 * America and Antarctica to `sa`; Africa, the rest of Europe and the Middle East (Western Asia, Iran and the Caucasus) to
 * `eu`; the rest of Asia and Oceania to `ap`. Territories go by where they lie, not by whose they are.
 */
import { EdgeproxyError } from './edgeproxy-error.js';
import { COUNTRIES, MAX_REGIONS } from './shared/layout.js';

/** Country (ISO 3166-1 alpha-2, upper case) to the name of its region. */
export type RegionTable = ReadonlyMap<string, string>;

const LISTED = {
  sa: 'BR AR CL PE CO UY PY BO EC VE',
  us: 'US CA MX',
  eu: 'PT ES FR DE NL IT GB IE BE CH AT PL CZ SE NO DK FI RU UA',
  ap: 'JP KR TW HK SG MY TH VN ID PH AU NZ CN IN',
} as const;

const BY_CONTINENT = {
  sa: 'AQ BV FK GF GS GY SR',
  us: [
    'BM GL PM UM', // North America; UM lies in the Pacific, but is reached through the United States
    'BZ CR GT HN NI PA SV', // Central America
    'AG AI AW BB BL BQ BS CU CW DM DO GD GP HT JM KN KY LC MF MQ MS PR SX TC TT VC VG VI', // Caribbean
  ].join(' '),
  eu: [
    'AD AL AX BA BG BY EE FO GG GI GR HR HU IM IS JE LI LT LU LV MC MD ME MK MT RO RS SI SJ SK SM VA', // Europe
    'XK', // Kosovo: not in ISO 3166-1, but geo databases use this code
    'AE AM AZ BH CY GE IL IQ IR JO KW LB OM PS QA SA SY TR YE', // Middle East and Caucasus
    'DZ EG EH LY MA SD TN', // Northern Africa
    'BI DJ ER ET IO KE KM MG MU MW MZ RE RW SC SO SS TF TZ UG YT ZM ZW', // Eastern Africa
    'AO CD CF CG CM GA GQ ST TD', // Middle Africa
    'BW LS NA SZ ZA', // Southern Africa
    'BF BJ CI CV GH GM GN GW LR ML MR NE NG SH SL SN TG', // Western Africa
  ].join(' '),
  ap: [
    'AF BD BN BT KG KH KP KZ LA LK MM MN MO MV NP PK TJ TL TM UZ', // Asia
    'AS CC CK CX FJ FM GU HM KI MH MP NC NF NR NU PF PG PN PW SB TK TO TV VU WF WS', // Oceania
  ].join(' '),
} as const;

/** The number of a country as the shared tables hold it, -1 where the code is not two letters A to Z. */
export function countryNumber(code: string): number {
  if (!/^[A-Z]{2}$/.test(code)) return -1;
  return (code.charCodeAt(0) - 65) * 26 + code.charCodeAt(1) - 65;
}

/** The code of a country number; '' where there is none. */
export function countryCode(number: number): string {
  if (!Number.isInteger(number) || number < 0 || number >= COUNTRIES) return '';
  return String.fromCharCode(65 + Math.floor(number / 26), 65 + (number % 26));
}

/**
 * The table with `overrides` (country to region, '' = no region) laid over the built-in one. Throws EP_REGION_TABLE where
 * a key is not a country code, or where there are more regions than a routes table has numbers for.
 */
export function regionTable(overrides: Readonly<Record<string, string>> = {}): RegionTable {
  const table = new Map<string, string>();
  for (const lists of [LISTED, BY_CONTINENT]) {
    for (const [region, codes] of Object.entries(lists)) for (const code of codes.split(' ')) table.set(code, region);
  }
  for (const [code, region] of Object.entries(overrides)) {
    if (countryNumber(code) < 0) throw regionTableError(`"${code}" is not a country code of two capital letters`);
    if (region === '') table.delete(code);
    else table.set(code, region);
  }
  const regions = new Set(table.values()).size;
  // One number is kept for this POP's own region, which may be one that no country belongs to.
  if (regions > MAX_REGIONS - 1) throw regionTableError(`${regions} regions, but at most ${MAX_REGIONS - 1} fit`);
  return table;
}

function regionTableError(reason: string): EdgeproxyError {
  return new EdgeproxyError('EP_REGION_TABLE', `The region table cannot be used: ${reason}.`, { source: 'config' });
}
