'use strict';
// Elements, numbers with units, and tables. Text only ever enters through text nodes, so no name can become markup.

function el(tag, attributes, ...children) {
  const node = document.createElement(tag);
  for (const [key, value] of Object.entries(attributes || {})) {
    if (value !== undefined && value !== null && value !== false) node.setAttribute(key, value === true ? '' : value);
  }
  node.append(...children.flat(Infinity).filter((child) => child !== null && child !== undefined));
  return node;
}

const MISSING = '–';

function digits(value, significant) {
  if (value === 0) return '0';
  const magnitude = Math.floor(Math.log10(Math.abs(value)));
  return value.toFixed(Math.min(20, Math.max(0, significant - 1 - magnitude)));
}

const format = {
  fixed: (value, places) => (value === null ? MISSING : value.toFixed(places)),
  integer: (value) => (value === null ? MISSING : Math.round(value).toLocaleString('en-US')),
  percent: (value, places = 2) => (value === null ? MISSING : (100 * value).toFixed(places) + ' %'),
  ratio: (value) => (value !== 0 && value < 1e-5 ? (100 * value).toExponential(1) : (100 * value).toFixed(4)) + ' %',
  points: (value) => (value === null ? MISSING : (value > 0 ? '+' : value < 0 ? '−' : '±') + Math.abs(100 * value).toFixed(2) + ' pt'),
  time(ns) {
    if (ns === null || ns === undefined) return MISSING;
    const [size, unit] = ns >= 1e9 ? [1e9, 's'] : ns >= 1e6 ? [1e6, 'ms'] : ns >= 1e3 ? [1e3, 'µs'] : [1, 'ns'];
    return digits(ns / size, 3) + ' ' + unit;
  },
  bytes(value) {
    if (value === null || value === undefined) return MISSING;
    const [size, unit] = value >= 1e9 ? [1e9, 'GB'] : value >= 1e6 ? [1e6, 'MB'] : value >= 1e3 ? [1e3, 'kB'] : [1, 'bytes'];
    return (size === 1 ? String(value) : digits(value / size, 3)) + ' ' + unit;
  },
  rate: (value) => (value === null ? MISSING : (value >= 100 ? format.integer(value) : digits(value, 3)) + ' /s'),
  number(value) {
    if (value === null || value === undefined) return MISSING;
    if (value !== 0 && (Math.abs(value) < 1e-3 || Math.abs(value) >= 1e6)) return value.toExponential(2);
    return String(Number(value.toPrecision(4)));
  },
  hash: (value) => (value ? value.slice(0, 12) : ''),
  inUnit(value, unit) {
    if (value === null || value === undefined) return MISSING;
    // Numerical errors are far below a hundredth of a percent; 0.00 would hide them.
    const fraction = (x) => x !== 0 && Math.abs(x) < 5e-5 ? format.ratio(x) : format.percent(x);
    const by = {fraction, ns: format.time, bytes: format.bytes, '1/s': format.rate};
    return by[unit] ? by[unit](value) : format.number(value) + (unit ? ' ' + unit : '');
  },
};

const mark = (good, yes, no) => el('span', {class: 'mark ' + (good ? 'good' : 'bad')}, good ? yes : no);
const card = (...children) => el('div', {class: 'card'}, children);
const runName = (run) => run.variant + ' · ' + run.target;

// columns: [{title, cell(row) → node or text, number: bool, long: may be broken anywhere, sort(row) → value}]
function table(columns, rows, {sortable = false} = {}) {
  const body = el('tbody');
  const fill = (ordered) => body.replaceChildren(...ordered.map((row) => el('tr', null, columns.map((column) =>
    el('td', {class: column.number ? 'number' : column.long ? 'long' : null}, column.cell(row))))));
  const heads = columns.map((column) => el('th', {class: column.number ? 'number' : null, scope: 'col'}, column.title));
  if (sortable) {
    columns.forEach((column, i) => {
      const key = column.sort || ((row) => column.cell(row));
      heads[i].classList.add('sortable');
      heads[i].addEventListener('click', () => {
        const down = heads[i].getAttribute('aria-sort') !== 'descending';
        heads.forEach((head) => head.removeAttribute('aria-sort'));
        heads[i].setAttribute('aria-sort', down ? 'descending' : 'ascending');
        const sign = down ? -1 : 1;
        fill([...rows].sort((a, b) => sign * (key(a) < key(b) ? -1 : key(a) > key(b) ? 1 : 0)));
      });
    });
  }
  fill(rows);
  return el('div', {class: 'scroll'}, el('table', null, el('thead', null, el('tr', null, heads)), body));
}

function bar(share) {
  const fill = el('i');
  fill.style.width = (100 * Math.max(0, Math.min(1, share))).toFixed(1) + '%';
  return el('div', {class: 'bar'}, fill);
}
