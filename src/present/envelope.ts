/** The shape of JSON output: a contract, versioned by `apiVersion`; only additions within a version. */
import { isUtf8 } from 'node:buffer';
import { type Blob, encodeText } from '../engine/index.ts';

export const API_VERSION = 'ponos/v1';

export function listEnvelope(kind: string, items: unknown[]) {
  return { apiVersion: API_VERSION, kind: `${kind}List`, items };
}

export function itemEnvelope(kind: string, item: unknown) {
  return { apiVersion: API_VERSION, kind, item };
}

/** One line of a stream. `type` comes first; a field of the same name in `fields` gives way to it. */
export function streamRecord(type: string, fields: object): object {
  const { type: _given, ...rest } = fields as { type?: unknown };
  return { type, ...rest };
}

/** `<name>` and `<name>Encoding`: text when the bytes are UTF-8, else base64, always said which. */
export function blobFields<Name extends string>(name: Name, blob: Blob): Record<Name | `${Name}Encoding`, string> {
  return { [name]: blob.data, [`${name}Encoding`]: blob.encoding } as Record<Name | `${Name}Encoding`, string>;
}

/** The same for a text of the engine, which may stand for bytes that are no UTF-8. */
export function textFields<Name extends string>(name: Name, text: string): Record<Name | `${Name}Encoding`, string> {
  const bytes = encodeText(text);
  const utf8 = isUtf8(bytes);
  return blobFields(name, {
    encoding: utf8 ? 'utf8' : 'base64',
    data: utf8 ? text : bytes.toString('base64'),
    sizeBytes: bytes.length,
  });
}
