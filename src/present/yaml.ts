/** YAML of plain data. Strings a terminal or a reader could take wrongly are double-quoted with JSON's escapes. */
import { Document, type ScalarTag } from 'yaml';
import { isUnsafe, safeJson } from './safe-text.ts';

const escapedString: ScalarTag = {
  identify: value => typeof value === 'string' && isUnsafe(value),
  default: true,
  tag: 'tag:yaml.org,2002:str',
  resolve: text => text,
  stringify: item => safeJson(item.value),
};

/** One document, with a line feed at its end. */
export function toYaml(value: unknown): string {
  // Through JSON first: it settles what of `value` is data, as in every other format.
  const data: unknown = JSON.parse(safeJson(value));
  return new Document(data, {
    customTags: tags => [escapedString, ...tags],
    aliasDuplicateObjects: false,
    compat: 'yaml-1.1',
  }).toString({
    lineWidth: 0,
  });
}
