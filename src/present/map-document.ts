/**
 * The entries of a map as a YAML document that a person edits: one mapping of texts to texts. A text stays a text whatever it
 * looks like (`5`, `yes`, `null`), is quoted only where it must be, and one that is no UTF-8 is `!!binary`. So every map
 * comes back as it was.
 */
import { isUtf8 } from 'node:buffer';
import { Document, isMap, isScalar, parseDocument, type ScalarTag } from 'yaml';
import { ArgumentError, decodeText, encodeText } from '../engine/index.ts';
import { isUnsafe, safeJson } from './safe-text.ts';

const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const HIDDEN_BLANKS = /^\s|[ \t](?:\n|$)/;

const binary: ScalarTag = {
  identify: value => typeof value === 'string' && !value.isWellFormed(),
  tag: 'tag:yaml.org,2002:binary',
  resolve: (text, onError) => {
    const compact = text.replace(/\s/g, '');
    if (!BASE64.test(compact)) onError('!!binary is not followed by base64');
    return decodeText(Buffer.from(compact, 'base64'));
  },
  stringify: item => encodeText(item.value as string).toString('base64'),
};

/**
 * What an editor or a terminal would not show as it is. A text of several lines is shown as such, unless it begins or a line
 * ends with blanks: nobody sees those, and they do not all survive as a YAML block.
 */
const escaped: ScalarTag = {
  identify: value =>
    typeof value === 'string' &&
    (value.split('\n').some(isUnsafe) || (value.includes('\n') && HIDDEN_BLANKS.test(value))),
  default: true,
  tag: 'tag:yaml.org,2002:str',
  resolve: text => text,
  stringify: item => safeJson(item.value),
};

/** `comment` goes in front, a line each with a `#`. */
export function formatMapDocument(entries: ReadonlyMap<string, string>, comment: readonly string[] = []): string {
  const document = new Document(new Map(entries), {
    customTags: tags => [binary, escaped, ...tags],
    aliasDuplicateObjects: false,
    compat: 'yaml-1.1',
  });
  const head = comment.map(line => `# ${line}`.trimEnd()).join('\n');
  return `${head}${head && '\n'}${document.toString({ lineWidth: 0 })}`;
}

/**
 * Undefined when the document is empty. Scalars are taken as they are written, so `5` is the text "5".
 * @throws ArgumentError on what is no mapping of texts to texts; it names the line.
 */
export function parseMapDocument(bytes: Uint8Array): Map<string, string> | undefined {
  if (!isUtf8(bytes)) {
    throw new ArgumentError('the document is no UTF-8', { hint: 'Write bytes that are no text as !!binary BASE64.' });
  }
  const text = Buffer.from(bytes).toString('utf8');
  const document = parseDocument(text, {
    schema: 'failsafe',
    customTags: [binary],
    prettyErrors: false,
  });
  const lineOf = (offset: number | undefined) => text.slice(0, offset ?? 0).split('\n').length;
  const [error] = document.errors;
  if (error) throw new ArgumentError(`line ${lineOf(error.pos[0])} is no YAML of keys and values: ${error.message}`);
  const { contents } = document;
  if (contents === null || (isScalar(contents) && contents.value === '')) return undefined;
  if (!isMap(contents)) throw new ArgumentError('the document is no mapping of keys to values, as in "key: value"');
  const entries = new Map<string, string>();
  for (const { key, value } of contents.items) {
    const at = (node: unknown) => lineOf((node as { range?: [number] } | null)?.range?.[0]);
    const [keyText, valueText] = [textOf(key), textOf(value)];
    if (keyText === undefined) throw new ArgumentError(`line ${at(key)}: a key is no text`);
    if (valueText === undefined) {
      throw new ArgumentError(`line ${at(value)}: the value of ${JSON.stringify(keyText)} is no text`, {
        hint: 'Put lists and mappings in quotes; they are texts to a map.',
      });
    }
    if (entries.has(keyText)) throw new ArgumentError(`line ${at(key)}: ${JSON.stringify(keyText)} is there twice`);
    entries.set(keyText, valueText);
  }
  return entries;
}

function textOf(node: unknown): string | undefined {
  if (node === null) return '';
  if (!isScalar(node)) return undefined;
  return node.value === null ? '' : typeof node.value === 'string' ? node.value : undefined;
}
