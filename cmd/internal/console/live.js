// Shows what happens to a query while it happens: each event of the stream that the
// page names has the cells of a row of its table, found by the text of the first. What
// comes is put in as text. Without a stream the page loads again now and then.
const main = document.getElementById('main'), live = document.getElementById('live');
const seconds = Number(main.dataset.again);

function row(cells, mark) {
  const all = [...main.querySelectorAll('table:not(.pairs) tbody tr')];
  const found = all.find((tr) => tr.cells[0].textContent === cells[0]);
  if (!found) return;
  cells.forEach((text, i) => {
    if (i === 0 || !found.cells[i]) return;
    const inner = document.createElement('span');
    inner.textContent = text;
    if (i === 1 && mark) inner.className = `mark ${mark}`;
    found.cells[i].replaceChildren(inner);
  });
}

function say(text) {
  const p = document.createElement('p');
  p.textContent = text;
  live.replaceChildren(p);
}

const source = new EventSource(main.dataset.events);
source.onmessage = (message) => {
  const event = JSON.parse(message.data);
  if (event.cells) row(event.cells, event.mark);
  if (event.text) say(event.text);
  if (event.end) {
    source.close();
    location.reload();
  }
};
source.onerror = () => {
  if (source.readyState === EventSource.CLOSED) setTimeout(() => location.reload(), 1000 * seconds);
};
