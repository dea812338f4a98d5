import { cut, pad, widthOf } from './clean-text.js';

export interface Column<Row> {
  readonly title: string;
  /** Stands at the right. */
  readonly isNumber?: true;
  readonly text: (row: Row) => string;
}

/** No column is wider, whatever is in it. */
const MOST_COLUMNS = 40;

/** Lines of a table, the titles first. */
export function tableLines<Row>(columns: readonly Column<Row>[], rows: readonly Row[]): string[] {
  const cells = [columns.map(({ title }) => title), ...rows.map((row) => columns.map(({ text }) => cell(text(row))))];
  const widths = columns.map((_, index) => Math.max(...cells.map((line) => widthOf(line[index] ?? ''))));
  return cells.map((line) =>
    line
      .map((text, index) => pad(text, widths[index] ?? 0, columns[index]?.isNumber === true))
      .join('  ')
      .trimEnd(),
  );
}

function cell(text: string): string {
  return text === '' ? '-' : cut(text, MOST_COLUMNS);
}
