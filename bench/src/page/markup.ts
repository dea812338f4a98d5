/** HTML and SVG as text, with everything that comes from outside escaped. */

/** Text that is markup already. */
export class Markup {
  readonly text: string;

  constructor(text: string) {
    this.text = text;
  }
}

export type Content = Markup | string | number | readonly Content[];

type Attributes = Readonly<Record<string, string | number>>;

const ENTITIES: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};
const VOID_ELEMENTS = new Set(['line', 'rect', 'circle', 'meta', 'br']);

export function escaped(text: string): string {
  return text.replace(/[&<>"']/g, (character) => ENTITIES[character] ?? character);
}

function textOf(content: Content): string {
  if (content instanceof Markup) return content.text;
  if (typeof content === 'string' || typeof content === 'number') return escaped(String(content));
  return content.map(textOf).join('');
}

/** Numbers in attributes are rounded to hundredths, which is finer than a pixel. */
export function element(name: string, attributes: Attributes = {}, ...content: readonly Content[]): Markup {
  const pairs = Object.entries(attributes).map(([key, value]) => {
    const text = typeof value === 'number' ? String(Math.round(value * 100) / 100) : value;
    return ` ${key}="${escaped(text)}"`;
  });
  const open = `<${name}${pairs.join('')}>`;
  return new Markup(VOID_ELEMENTS.has(name) ? open.replace(/>$/, '/>') : `${open}${textOf(content)}</${name}>`);
}

/** JSON inside a script element: nothing in it may end that element. */
export function dataElement(id: string, json: string): Markup {
  return new Markup(`<script type="application/json" id="${escaped(id)}">${json.replaceAll('<', '\\u003c')}</script>`);
}
