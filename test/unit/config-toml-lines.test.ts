import assert from 'node:assert/strict';
import { describe, it } from 'node:test';
import { parse, stringify } from 'smol-toml';
import { TomlLines, type TomlPath } from '../../src/adapters/inbound/config/toml-lines.js';
import { fc } from '../support/fast-check.js';

/** Each with the line it stands in, counted from 1. */
function linesOf(text: string, paths: readonly TomlPath[]): number[] {
  parse(text);
  const lines = new TomlLines(text);
  return paths.map((path) => lines.lineOf(path));
}

describe('lines of a TOML document', () => {
  it('are found past comments, strings of all kinds and values of several lines', () => {
    const text = `# [a]
[ a ] # x = 1
one = "]" # "
two = """
[b]
three = 3 \\""" """ # \\
three = '''
'''
four = [ # [
  "]", '"',

  { x = 1, y = [2] } ]
"five \\" \\u0041" = 'a\\'
six.seven . "eight" = 8
`;
    const paths = [['a'], ['a', 'one'], ['a', 'two'], ['a', 'three'], ['a', 'four'], ['a', 'five " A']];
    assert.deepEqual(linesOf(text, paths), [2, 3, 4, 7, 9, 13]);
    assert.deepEqual(
      linesOf(text, [
        ['a', 'six'],
        ['a', 'six', 'seven', 'eight'],
        ['a', 'four', 'x'],
      ]),
      [14, 14, 9],
    );
    assert.deepEqual(
      linesOf(text, [
        ['a', 'four', 0],
        ['a', 'four', 1],
        ['a', 'four', 2, 'y', 0],
      ]),
      [10, 10, 12],
    );
    assert.deepEqual(linesOf(text, [['b'], []]), [1, 1]);
  });

  it('are found in arrays of tables and the tables in them', () => {
    const text = `[[rules]]
name = "a"
[rules.matcher]
type = "port"
[[rules.backends]]
id = 1
[[rules.backends]]
id = 2
[[rules]]
name = "b"
[[rules.backends]]
id = 3
`;
    const paths = [
      ['rules', 0, 'name'],
      ['rules', 0, 'matcher', 'type'],
      ['rules', 0, 'backends', 0, 'id'],
      ['rules', 0, 'backends', 1, 'id'],
      ['rules', 1],
      ['rules', 1, 'name'],
      ['rules', 1, 'backends', 0, 'id'],
    ];
    assert.deepEqual(linesOf(text, paths), [2, 4, 6, 8, 9, 10, 12]);
  });

  it('are found in arrays of inline tables', () => {
    const text = `rules = [
  { name = "a", backends = [ # 1
    { id = 1, "x" . y = {} },
    { id = 2 },
  ] },

  { name = "b" } ] # end
after = 1
`;
    const paths = [
      ['rules', 0, 'backends', 0, 'x', 'y'],
      ['rules', 0, 'backends', 1, 'id'],
      ['rules', 1, 'name'],
      ['rules', 1, 'missing'],
      ['after'],
    ];
    assert.deepEqual(linesOf(text, paths), [3, 4, 7, 7, 8]);
  });

  it('are those of the text for whatever a document holds', () => {
    const scalar = fc.oneof(fc.string(), fc.integer(), fc.boolean(), fc.array(fc.string()));
    const table = fc.dictionary(fc.string({ minLength: 1 }), scalar, { maxKeys: 5 });
    fc.assert(
      fc.property(fc.dictionary(fc.string({ minLength: 1 }), table, { maxKeys: 5 }), (document) => {
        const text = stringify(document);
        const lines = new TomlLines(text);
        for (const [section, keys] of Object.entries(parse(text))) {
          for (const name of Object.keys(keys as object)) {
            // The statement that begins in that line gives that key.
            const rest = text.split('\n').slice(lines.lineOf([section, name]) - 1);
            const found = rest
              .map((_, count) => keysOf(rest.slice(0, count + 1).join('\n')))
              .find((each) => each !== null);
            assert.deepEqual(found, [name], text);
          }
        }
      }),
    );
  });
});

function keysOf(statement: string): string[] | null {
  try {
    return Object.keys(parse(statement));
  } catch {
    return null;
  }
}
