// The tables of an evaluation: a confusion matrix that arrows go through, columns that sort.
const STEPS = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
const within = (index, length) => Math.min(Math.max(index, 0), length - 1);

// One cell is in the tab order; arrows move, Enter or Space opens. choose: called with the dataset of the cell.
export function navigateMatrix(table, choose) {
  const rows = [...table.tBodies[0].rows].map(row => [...row.querySelectorAll('td')]);
  let at = [0, 0];
  const focus = (y, x) => {
    rows[at[0]][at[1]].tabIndex = -1;
    at = [within(y, rows.length), within(x, rows[0].length)];
    const cell = rows[at[0]][at[1]];
    cell.tabIndex = 0;
    return cell;
  };
  focus(0, 0);
  table.onclick = event => {
    const cell = event.target.closest('td[data-true]');
    if (!cell) return;
    const y = rows.findIndex(row => row.includes(cell));
    focus(y, rows[y].indexOf(cell));
    table.querySelector('.chosen')?.classList.remove('chosen');
    cell.classList.add('chosen');
    choose(cell.dataset);
  };
  table.onkeydown = event => {
    const step = STEPS[event.key];
    if (step) { event.preventDefault(); focus(at[0] + step[0], at[1] + step[1]).focus(); }
    else if (event.key === 'Enter' || event.key === ' ') { event.preventDefault(); event.target.click(); }
  };
}

const number = text => (Number.isNaN(parseFloat(text)) ? -1 : parseFloat(text));   // a dash lies below 0 %

export function sortByColumns(table) {
  const body = table.tBodies[0], heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => {
    head.querySelector('button').onclick = () => {
      const up = head.getAttribute('aria-sort') !== 'ascending';
      heads.forEach(other => other.setAttribute('aria-sort', 'none'));
      head.setAttribute('aria-sort', up ? 'ascending' : 'descending');
      const text = row => row.cells[column].textContent;
      const order = column ? (a, b) => number(text(a)) - number(text(b))
        : (a, b) => text(a).localeCompare(text(b), undefined, { numeric: true });
      const rows = [...body.rows].sort(order);
      body.replaceChildren(...(up ? rows : rows.reverse()));
    };
  });
}
