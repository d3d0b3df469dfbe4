// A table of networks: type to look for one, a head to order by it, a name to choose it.

export function start({ element, trigger, props }) {
  const table = element.querySelector('table'), body = table.tBodies[0], none = element.querySelector('.none');

  element.querySelector('input').addEventListener('input', event => {
    const wanted = event.target.value.trim().toLowerCase().replace(/[-\s]+/g, '_');
    let shown = 0;
    for (const row of body.rows) {
      row.hidden = !row.dataset.name.includes(wanted);
      if (!row.hidden) shown += 1;
    }
    none.hidden = shown > 0;
  });

  // Names from A, accuracy from the best, the others from the least.
  function order(head) {
    const column = head.cellIndex, first = column === 2 ? 'descending' : 'ascending';
    const before = head.getAttribute('aria-sort');
    const way = before === 'none' ? first : before === 'ascending' ? 'descending' : 'ascending';
    for (const other of table.tHead.rows[0].cells) other.setAttribute('aria-sort', other === head ? way : 'none');
    const value = row => column ? Number(row.cells[column].dataset.value) : row.dataset.name;
    const rows = [...body.rows].sort((a, b) => (value(a) < value(b) ? -1 : value(a) > value(b) ? 1 : 0));
    body.append(...(way === 'ascending' ? rows : rows.reverse()));
  }

  element.addEventListener('click', event => {
    const button = event.target.closest('button');
    if (!button) return;
    const head = button.closest('thead th');
    if (head) { order(head); return; }
    props.value = button.closest('tr').dataset.name;
    trigger('submit');
  });
}
