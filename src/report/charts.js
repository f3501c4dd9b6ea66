// Charts are kept as functions that draw, so that a change of theme or printing can draw them again in other colours.

const charts = [];
const color = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const seriesColor = (index) => color('--series-' + (index % 6));
const translucent = (hex, alpha) => hex + Math.round(alpha * 255).toString(16).padStart(2, '0');

function chart(title, configure, height) {
  const canvas = el('canvas', {role: 'img', 'aria-label': title});
  const frame = el('div', {class: 'chart'}, canvas);
  if (height) frame.style.height = height + 'px';
  charts.push({canvas, configure, drawn: null});
  return frame;
}

function drawCharts() {
  Chart.defaults.animation = false;
  Chart.defaults.maintainAspectRatio = false;
  Chart.defaults.color = color('--muted');
  Chart.defaults.borderColor = color('--line-soft');
  Chart.defaults.font.family = getComputedStyle(document.body).fontFamily;
  Chart.defaults.font.size = 12;
  for (const entry of charts) {
    if (entry.drawn) entry.drawn.destroy();
    entry.drawn = entry.canvas.isConnected ? new Chart(entry.canvas, entry.configure()) : null;
  }
}

const axis = (text, more = {}) => ({title: {display: true, text}, ...more});

// p50, p90 and p99 side by side, one group for each run.
function percentileChart(runs) {
  return chart('Latency percentiles of every run', () => ({
    type: 'bar',
    data: {
      labels: runs.map((run) => [run.variant, run.target]),
      datasets: [['p50_ns', 'p50', 1], ['p90_ns', 'p90', 0.6], ['p99_ns', 'p99', 0.3]].map(([key, label, alpha]) => ({
        label, data: runs.map((run) => run.latency[key] / 1e6), backgroundColor: translucent(seriesColor(1), alpha), borderRadius: 3,
        maxBarThickness: 34,
      })),
    },
    options: {
      scales: {y: axis('latency (ms)', {beginAtZero: true}), x: {grid: {display: false}}},
      plugins: {legend: {position: 'top', align: 'end'}},
    },
  }));
}

// Outline of each run's histogram: share of the samples over time.
function histogramChart(target, runs, variants) {
  return chart('Latency distribution on ' + target, () => ({
    type: 'line',
    data: {
      datasets: runs.map((run) => {
        const {first_ns: first, bin_ns: width, counts} = run.histogram;
        const total = counts.reduce((sum, count) => sum + count, 0) || 1;
        const points = counts.map((count, i) => ({x: (first + i * width) / 1e6, y: 100 * count / total}));
        points.unshift({x: first / 1e6, y: 0});
        points.push({x: (first + counts.length * width) / 1e6, y: 0});
        const line = seriesColor(variants.indexOf(run.variant));
        return {label: run.variant, data: points, stepped: true, fill: 'origin', pointRadius: 0, borderWidth: 1.5,
                borderColor: line, backgroundColor: translucent(line, 0.25)};
      }),
    },
    options: {
      scales: {
        x: axis('latency (ms)', {type: 'linear', grid: {display: false}, ticks: {maxTicksLimit: 9}}),
        y: axis('share of samples (%)', {beginAtZero: true}),
      },
      plugins: {legend: {position: 'top', align: 'end'}},
      interaction: {mode: 'nearest', axis: 'x', intersect: false},
    },
  }));
}

// One line a run over the frames of a scene. value(run) → a number or null by frame.
function frameChart(title, unit, runs, value, variants, targets) {
  const dashes = [[], [6, 4], [2, 3]];
  const points = runs.map(value);
  return chart(title + ' by frame', () => ({
    type: 'line',
    data: {
      labels: points.reduce((longest, one) => one.length > longest.length ? one : longest, []).map((_, frame) => frame),
      datasets: runs.map((run, i) => {
        const line = seriesColor(variants.indexOf(run.variant));
        return {label: targets.length > 1 ? runName(run) : run.variant, data: points[i], pointRadius: 1.5, borderWidth: 1.5, borderColor: line,
                backgroundColor: line, borderDash: dashes[targets.indexOf(run.target) % 3]};
      }),
    },
    options: {
      scales: {x: axis('frame in its scene', {grid: {display: false}}), y: axis(title + (unit ? ' (' + unit + ')' : ''), {beginAtZero: true})},
      plugins: {legend: {position: 'top', align: 'end'}},
      interaction: {mode: 'nearest', axis: 'x', intersect: false},
    },
  }), 260);
}

const TOP_NODES = 15;

function nodeChart(run, total) {
  const top = [...run.node_times].sort((a, b) => b.time_ns - a.time_ns).slice(0, TOP_NODES);
  const short = (name) => (name.length > 38 ? name.slice(0, 18) + '…' + name.slice(-19) : name);
  return chart('Slowest nodes of ' + runName(run), () => ({
    type: 'bar',
    data: {
      labels: top.map((node) => short(node.name)),
      datasets: [{data: top.map((node) => node.time_ns / 1e3), backgroundColor: seriesColor(1), borderRadius: 3,
                  maxBarThickness: 20}],
    },
    options: {
      indexAxis: 'y',
      scales: {x: axis('mean time (µs)', {beginAtZero: true}), y: {grid: {display: false}, ticks: {autoSkip: false}}},
      plugins: {
        legend: {display: false},
        tooltip: {callbacks: {
          title: (items) => top[items[0].dataIndex].name,
          label: (item) => top[item.dataIndex].op_type + ', ' + format.time(top[item.dataIndex].time_ns) + ', ' +
            format.percent(top[item.dataIndex].time_ns / total, 1),
        }},
      },
    },
  }), 60 + 24 * Math.max(3, top.length));
}
