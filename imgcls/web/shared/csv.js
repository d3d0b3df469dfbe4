// Rows as CSV (RFC 4180). A text that a spreadsheet would take for a formula stays text: others may have written it.
const FORMULA = /^[=+\-@\t\r]/;

function cell(value) {
  if (typeof value === 'number' || typeof value === 'boolean') return String(value);
  const text = Array.isArray(value) ? value.join(' ') : String(value ?? '');
  return text && `"${text.replace(FORMULA, "'$&").replaceAll('"', '""')}"`;
}

export const csv = rows => rows.map(row => `${row.map(cell).join(',')}\r\n`).join('');
