/**
 * Entries of a map out of a file: what `map export` writes, as a document or with -o json, ndjson or yaml, or a plain mapping of texts, YAML or JSON.
 * What it is shows in its content, never in the name of the file.
 */
import { parseDocument } from 'yaml';
import { ArgumentError, decodeText } from '../engine/index.ts';
import { parseMapDocument } from './map-document.ts';

/**
 * A file with nothing in it is no map without entries, which is `{}`: it is what is left when the command that should have
 * written it failed.
 * @throws ArgumentError on anything else, or a key that is there twice; it names the line or the item.
 */
export function parseMapFile(bytes: Buffer): Map<string, string> {
  const text = bytes.toString('utf8').trimStart();
  const records = text.startsWith('{')
    ? (wholeRecords(parse(text)) ?? lineRecords(text))
    : text.startsWith('apiVersion:')
      ? wholeRecords(parseYaml(text))
      : undefined;
  if (!records) return parseMapDocument(bytes) ?? refuseEmpty();
  const entries = new Map<string, string>();
  for (const [at, record] of records) {
    const [key, value] = [fieldOf(at, record, 'key'), fieldOf(at, record, 'value')];
    if (entries.has(key)) throw new ArgumentError(`${at}: ${JSON.stringify(key)} is there twice`);
    entries.set(key, value);
  }
  return entries;
}

function refuseEmpty(): never {
  throw new ArgumentError('there is nothing in the file, no keys and values', {
    hint: 'If that is what is meant, for a map without entries, write {}.',
  });
}

type Placed = [at: string, record: Record<string, unknown>];

/** What `-o json` and `-o yaml` give. */
function wholeRecords(whole: unknown): Placed[] | undefined {
  if (!isRecord(whole) || whole.kind !== 'MapEntryList' || !Array.isArray(whole.items)) return undefined;
  return whole.items.map((item, i) => placed(`item ${i + 1}`, item));
}

/** What `-o ndjson` gives. */
function lineRecords(text: string): Placed[] | undefined {
  const lines = text.split('\n');
  const first = parse(lines[0] as string);
  if (!isRecord(first) || first.type !== 'mapEntry') return undefined;
  return lines.flatMap((line, i) => (line.trim() === '' ? [] : [placed(`line ${i + 1}`, parse(line))]));
}

function placed(at: string, record: unknown): Placed {
  if (!isRecord(record)) throw new ArgumentError(`${at} is no JSON object with a key and a value`);
  return [at, record];
}

function fieldOf(at: string, record: Record<string, unknown>, name: 'key' | 'value'): string {
  const text = record[name];
  if (typeof text !== 'string') throw new ArgumentError(`${at}: its ${name} is no text`);
  const encoding = record[`${name}Encoding`] ?? 'utf8';
  if (encoding === 'utf8') return text;
  if (encoding !== 'base64') throw new ArgumentError(`${at}: its ${name}Encoding is neither utf8 nor base64`);
  return decodeText(Buffer.from(text, 'base64'));
}

function parse(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** As `-o yaml` writes it; what is none is judged by whoever reads plain mappings. */
function parseYaml(text: string): unknown {
  const document = parseDocument(text, { prettyErrors: false, logLevel: 'silent' });
  return document.errors.length === 0 ? document.toJS() : undefined;
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
