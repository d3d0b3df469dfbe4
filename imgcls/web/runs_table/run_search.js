// Which runs a search finds: words, and conditions as in `imgcls runs --where`: lr>0.01, state=finished, note~blurred.
const CONDITION = /^([\w-]+)(!=|>=|<=|=|>|<|~)(.+)$/;

function meets(value, sign, wanted) {
  const text = String(value ?? '').toLowerCase(), isNumber = typeof value === 'number' && wanted.trim() !== '' && !Number.isNaN(+wanted);
  const [a, b] = isNumber ? [value, +wanted] : [text, wanted.toLowerCase()];
  if (sign === '~') return text.includes(wanted.toLowerCase());
  if (sign === '=') return a === b;
  if (sign === '!=') return a !== b;
  if (value === null || value === undefined) return false;
  return { '>': a > b, '<': a < b, '>=': a >= b, '<=': a <= b }[sign];
}

// columns: what a row has. Returns row -> whether all of the search is true of it.
export function matcher(search, columns) {
  const tests = search.split(/\s+/).filter(Boolean).map(word => {
    const [, name, sign, wanted] = word.match(CONDITION) ?? [], key = name?.replaceAll('-', '_');
    if (!columns.includes(key)) return row => row.text.includes(word.toLowerCase());
    return row => meets(row[key], sign, wanted);
  });
  return row => tests.every(test => test(row));
}

const isEmpty = value => value === null || value === undefined || value === '';
const compare = (a, b) => (typeof a === 'number' && typeof b === 'number' ? a - b : String(a).localeCompare(String(b), undefined, { numeric: true }));

// sort: a column, with a - before it downwards, or '' for the order that there is. Pinned runs come first.
export function sorted(rows, sort) {
  const key = sort.replace(/^-/, ''), direction = sort.startsWith('-') ? -1 : 1;
  const byKey = (a, b) => (isEmpty(a[key]) - isEmpty(b[key])) || direction * compare(a[key], b[key]);
  return [...rows].sort(key ? byKey : () => 0).sort((a, b) => b.pinned - a.pinned);
}
