const report = JSON.parse(document.getElementById('data').textContent);
const variants = [...new Set([report.baseline_variant, ...report.runs.map((run) => run.variant)])].filter(Boolean);
const targets = [...new Set(report.runs.map((run) => run.target))];
const baselineOf = (run) => report.runs.find((other) =>
  other.variant === report.baseline_variant && other.target === run.target && other !== run);

function masthead() {
  const met = report.acceptance.filter((row) => row.passed).length;
  const meta = [report.created_utc, report.contract, report.model_sha256 && 'sha256 ' + format.hash(report.model_sha256),
                report.machine.cpu];
  return el('header', {class: 'masthead'}, el('div', null,
    el('div', {class: 'title'},
      el('div', {class: 'kicker'}, 'Tarmac deploy report'),
      el('h1', null, report.model_name),
      el('div', {class: 'meta'}, meta.filter(Boolean).map((text) => el('span', {title: text.startsWith('sha256') ? report.model_sha256 : null}, text)))),
    el('div', {class: 'verdict ' + (report.passed ? 'pass' : 'fail')},
      el('b', null, report.passed ? 'PASS' : 'FAIL'),
      el('span', null, met + ' of ' + report.acceptance.length + ' criteria met'))));
}

// The final variant against the baseline, on the target where it is fastest.
function summary() {
  const finals = report.runs.filter((run) => run.variant === report.final_variant && !run.failure);
  const run = finals.sort((a, b) => (a.latency ? a.latency.p50_ns : Infinity) - (b.latency ? b.latency.p50_ns : Infinity))[0];
  if (!run) return ['Summary', null, facts()];
  const base = baselineOf(run);
  const tiles = [];
  const tile = (name, value, note) => tiles.push(el('div', {class: 'tile'}, el('div', {class: 'name'}, name),
    el('div', {class: 'value'}, value), el('div', {class: 'note'}, note || '')));
  const where = runName(run);
  if (run.accuracy) {
    tile(metricName(run.accuracy), format.percent(run.accuracy.value),
         base && base.accuracy ? format.points(run.accuracy.value - base.accuracy.value) + ' against ' + base.variant : where);
  }
  if (run.latency) {
    tile('Latency p50', format.time(run.latency.p50_ns), base && base.latency ?
         digits(base.latency.p50_ns / run.latency.p50_ns, 3) + '× as fast as ' + base.variant : where);
    tile('Latency p99', format.time(run.latency.p99_ns), where);
  }
  if (run.throughput) {
    tile('Throughput', format.rate(run.throughput.samples_per_s), base && base.throughput ?
         digits(run.throughput.samples_per_s / base.throughput.samples_per_s, 3) + '× ' + base.variant : where);
  }
  const file = report.files.find((entry) => entry.variant === run.variant);
  const original = report.files.find((entry) => entry.variant === report.baseline_variant);
  if (file) {
    tile('Model size', format.bytes(file.size_bytes), original && original !== file ?
         format.percent(file.size_bytes / original.size_bytes, 0) + ' of ' + original.variant : file.label);
  }
  return ['Summary', 'The deployed variant, ' + where + '.', el('div', {class: 'tiles'}, tiles), facts()];
}

function facts() {
  const machine = report.machine;
  const rows = [
    ['Processor', machine.cpu && machine.cpu + (machine.logical_cores ? ', ' + machine.logical_cores + ' logical cores' : '')],
    ['Memory', machine.memory_bytes ? format.bytes(machine.memory_bytes) : ''],
    ['Accelerator', machine.accelerator],
    ['System', machine.operating_system],
    ['Versions', report.versions.map((entry) => entry.name + ' ' + entry.version).join(', ')],
    ['Model SHA-256', report.model_sha256 && el('code', null, report.model_sha256)],
    ['Stages', report.stages.map((stage) => stage.name + ' ' + format.time(stage.time_ns)).join(', ')],
  ];
  return card(el('dl', {class: 'facts'}, rows.filter((row) => row[1]).map(([name, value]) =>
    el('div', null, el('dt', null, name), el('dd', null, value)))));
}

function banners() {
  const banner = (kind, title, lines) => lines.length === 0 ? null : el('div', {class: 'banner ' + kind}, el('b', null, title),
    el('ul', {class: 'notes'}, lines.map((line) => el('li', null, line))));
  return [banner('bad', 'Why it failed', report.failures), banner('warn', 'Notes', report.notes)];
}

function acceptance() {
  if (report.acceptance.length === 0) return null;
  return ['Acceptance', 'What the contract demands, and what was measured.', card(table([
    {title: 'Criterion', cell: (row) => row.criterion + (row.metric ? ' (' + row.metric + ')' : '')},
    {title: 'Variant', cell: (row) => row.variant || 'all'},
    {title: 'Target', cell: (row) => row.target || 'all'},
    {title: 'Limit', number: true, cell: (row) => (row.bound === 'at_least' ? '≥ ' : '≤ ') + format.inUnit(row.limit, row.unit)},
    {title: 'Measured', number: true, cell: (row) => row.measured === null ? 'not measured' : format.inUnit(row.measured, row.unit)},
    {title: 'Verdict', cell: (row) => mark(row.passed, 'PASS', 'FAIL')},
  ], report.acceptance))];
}

function confusion(accuracy) {
  const names = accuracy.classes.map((row) => row.name);
  return el('table', {class: 'confusion'},
    el('thead', null, el('tr', null, el('th', null, 'true \\ predicted'), names.map((name) => el('th', {scope: 'col'}, name)))),
    el('tbody', null, accuracy.confusion.map((row, label) => {
      const total = row.reduce((sum, count) => sum + count, 0);
      return el('tr', null, el('th', {scope: 'row'}, names[label]), row.map((count, predicted) => {
        const cell = el('td', {class: count > 0 && predicted !== label ? 'wrong' : null}, String(count));
        cell.style.background = 'rgba(var(--cell), ' + (total ? 0.05 + 0.5 * count / total : 0.05) + ')';
        return cell;
      }));
    })));
}

const metricName = (accuracy) => accuracy.metric === 'top1_accuracy' ? 'Top-1 accuracy' : accuracy.name[0].toUpperCase() + accuracy.name.slice(1);

// Columns of which some row has a value.
const known = (columns, rows, value) => columns.filter((column) => rows.some((row) => value(row)[column.key] !== null && value(row)[column.key] !== ''));

// Of 3-D boxes; the places of a row without any stay empty.
const errorColumns = (some, errors) => !some ? [] : [
  ['Position', 'translation_m', 'm'], ['Size', 'scale', ''], ['Heading', 'orientation_rad', 'rad'], ['Velocity', 'velocity_m_per_s', 'm/s'],
].map(([title, key, unit]) => ({title: title + ' error', number: true, cell: (row) => {
  const found = errors(row);
  return !found || found[key] === null ? MISSING : format.fixed(found[key], 3) + (unit && ' ' + unit);
}}));

// What frames in order do over the length of a scene.
function drift() {
  const scored = report.runs.filter((run) => run.accuracy && run.accuracy.by_frame.length > 1);
  const outputs = [...new Set(report.runs.flatMap((run) => run.drift.map((one) => one.output)))];
  if (scored.length === 0 && outputs.length === 0) return null;
  const panel = (title, chart) => card(el('h3', null, title), chart);
  const moving = scored.filter((run) => run.accuracy.by_frame.some((row) => row.velocity_m_per_s !== null));
  return ['Over the length of a scene', 'All scenes together, by the frame\'s place in its scene. What grows to the right is carried along by the state.',
    el('div', {class: 'grid'},
      scored.length === 0 ? null : panel('mAP at 2 m', frameChart('mAP', '%', scored, (run) => run.accuracy.by_frame.map((row) => 100 * row.map), variants, targets)),
      moving.length === 0 ? null : panel('Velocity error', frameChart('velocity error', 'm/s', moving, (run) => run.accuracy.by_frame.map((row) => row.velocity_m_per_s), variants, targets)),
      outputs.map((output) => {
        const runs = report.runs.filter((run) => run.variant !== report.baseline_variant && run.drift.some((one) => one.output === output));
        return runs.length === 0 ? null : panel('State \'' + output + '\' against ' + report.baseline_variant, frameChart('relative error', '%', runs,
          (run) => run.drift.find((one) => one.output === output).by_frame.map((value) => value === null ? null : 100 * value), variants, targets));
      }))];
}

// What the metric says beside its value.
const metricDetails = (rows) => [
  ...known([
    {key: 'balanced_accuracy', title: 'Class mean'}, {key: 'pixel_accuracy', title: 'Pixel accuracy'},
    {key: 'map50', title: 'mAP at IoU 0.5'}, {key: 'mean_agreement', title: 'Mean of the samples'},
    {key: 'nds', title: 'nuScenes score'},
  ], rows, (row) => row.accuracy).map(({key, title}) => ({title, number: true, cell: (row) => format.percent(row.accuracy[key])})),
  ...errorColumns(rows.some((row) => row.accuracy.errors), (row) => row.accuracy.errors),
  ...known([{key: 'worst_sample', title: 'Worst sample'}], rows, (row) => row.accuracy).map(({key, title}) =>
    ({title, long: true, cell: (row) => el('code', null, row.accuracy[key])})),
];

const pointsOf = (change) => el('span', {class: change < 0 ? 'bad-text' : change > 0 ? 'good-text' : null}, format.points(change));

function accuracy() {
  const runs = report.runs.filter((run) => run.accuracy);
  if (runs.length === 0) return null;
  const drop = (run) => {
    const base = baselineOf(run);
    if (!base || !base.accuracy) return MISSING;
    return pointsOf(run.accuracy.value - base.accuracy.value);
  };
  const overview = card(table([
    {title: 'Variant', cell: (run) => run.variant},
    {title: 'Target', cell: (run) => run.target},
    {title: metricName(runs[0].accuracy), number: true, cell: (run) => format.percent(run.accuracy.value)},
    {title: 'Against ' + report.baseline_variant, number: true, cell: drop},
    ...metricDetails(runs),
    {title: 'Samples', number: true, cell: (run) => format.integer(run.accuracy.samples)},
  ], runs));
  const details = runs.filter((run) => run.accuracy.classes.length > 0).map((run) => card(
    el('h3', null, run.variant, el('small', null, run.target)),
    table([
      {title: 'Class', cell: (row) => row.name},
      {title: {mean_iou: 'Pixels', map: 'Boxes', nuscenes: 'Boxes'}[run.accuracy.metric] || 'Samples', number: true, cell: (row) => format.integer(row.samples)},
      ...known([
        {key: 'iou', title: 'IoU'}, {key: 'ap', title: 'AP'}, {key: 'ap50', title: 'AP at IoU 0.5'},
        {key: 'recall', title: run.accuracy.metric === 'top1_accuracy' ? 'Accuracy' : 'Recall'}, {key: 'precision', title: 'Precision'},
      ], run.accuracy.classes, (row) => row).map(({key, title}) =>
        ({title, number: true, cell: (row) => row[key] === null ? MISSING : format.percent(row[key], 1)})),
      ...known([{key: 'f1', title: 'F1'}], run.accuracy.classes, (row) => row).map(({key, title}) =>
        ({title, number: true, cell: (row) => format.fixed(row[key], 3)})),
      ...run.accuracy.by_distance.map(({distance_m: metres}, i) =>
        ({title: metres + ' m', number: true, cell: (row) => row.ap_by_distance.length ? format.percent(row.ap_by_distance[i], 1) : MISSING})),
      ...errorColumns(run.accuracy.errors !== null, (row) => row.errors),
    ], run.accuracy.classes),
    run.accuracy.confusion.length > 0 && run.accuracy.confusion.length <= 20 ?
      el('div', {class: 'scroll'}, confusion(run.accuracy)) : null));
  return ['Accuracy', null, overview, el('div', {class: 'grid thirds'}, details)];
}

function robustness() {
  const rows = report.robustness;
  if (rows.length === 0) return null;
  return ['Robustness', 'What is deployed, evaluated under each fault of the contract, one at a time.', card(table([
    {title: 'Fault', cell: (row) => row.fault},
    {title: 'Target', cell: (row) => row.target},
    {title: 'Variant', cell: (row) => row.variant},
    {title: metricName(rows[0].accuracy), number: true, cell: (row) => format.percent(row.accuracy.value)},
    {title: 'Against no fault', number: true, cell: (row) => row.drop === null ? MISSING : pointsOf(-row.drop)},
    ...metricDetails(rows),
  ], rows))];
}

function latency() {
  const runs = report.runs.filter((run) => run.latency);
  if (runs.length === 0) return null;
  const histograms = targets.map((target) => [target, runs.filter((run) => run.target === target && run.histogram)])
    .filter(([, some]) => some.length > 0)
    .map(([target, some]) => card(el('h3', null, 'Distribution', el('small', null, target)), histogramChart(target, some, variants)));
  const time = (title, key) => ({title, number: true, cell: (run) => format.time(run.latency[key]), sort: (run) => run.latency[key]});
  return ['Latency and throughput', 'Percentiles are measured times. A distribution ends at p99; its last step also holds what was slower.',
    card(el('h3', null, 'Percentiles'), percentileChart(runs)), el('div', {class: 'grid'}, histograms), card(table([
      {title: 'Variant', cell: (run) => run.variant}, {title: 'Target', cell: (run) => run.target},
      time('p50', 'p50_ns'), time('p90', 'p90_ns'), time('p99', 'p99_ns'), time('p99.9', 'p999_ns'),
      time('mean', 'mean_ns'), time('deviation', 'stddev_ns'), time('max', 'max_ns'),
      {title: 'Runs', number: true, cell: (run) => format.integer(run.latency.samples), sort: (run) => run.latency.samples},
      {title: 'Throughput', number: true, cell: (run) => run.throughput ? format.rate(run.throughput.samples_per_s) : MISSING,
       sort: (run) => run.throughput ? run.throughput.samples_per_s : 0},
      {title: 'Batch × streams', number: true, cell: (run) => run.throughput ? run.throughput.batch + ' × ' + run.throughput.streams : MISSING},
      {title: 'Threads', number: true, cell: (run) => run.threads ? String(run.threads) : MISSING},
    ], runs, {sortable: true}))];
}

function nodeTimes() {
  const runs = report.runs.filter((run) => run.node_times.length > 0);
  if (runs.length === 0) return null;
  const panels = runs.map((run) => {
    const total = run.node_times.reduce((sum, node) => sum + node.time_ns, 0) || 1;
    const rows = [...run.node_times].sort((a, b) => b.time_ns - a.time_ns);
    return el('div', null,
      nodeChart(run, total),
      el('details', null, el('summary', null, 'All ' + rows.length + ' nodes, ' + format.time(total) + ' together'), table([
        {title: 'Node', long: true, cell: (node) => el('code', null, node.name), sort: (node) => node.name},
        {title: 'Operator', cell: (node) => node.op_type},
        {title: 'Mean time', number: true, cell: (node) => format.time(node.time_ns), sort: (node) => node.time_ns},
        {title: 'Share', number: true, cell: (node) => format.percent(node.time_ns / total, 1), sort: (node) => node.time_ns},
      ], rows, {sortable: true})));
  });
  const buttons = runs.map((run, i) => el('button', {type: 'button'}, runName(run)));
  const holder = el('div');
  const show = (chosen) => {
    buttons.forEach((button, i) => button.setAttribute('aria-pressed', String(i === chosen)));
    holder.replaceChildren(panels[chosen]);
    drawCharts();
  };
  buttons.forEach((button, i) => button.addEventListener('click', () => show(i)));
  const last = runs.findIndex((run) => run.variant === report.final_variant);
  buttons[Math.max(0, last)].setAttribute('aria-pressed', 'true');
  holder.append(panels[Math.max(0, last)]);
  return ['Time by node', 'Mean time in one inference, by ONNX name as the engine reports it; fused nodes appear under one name.',
          card(el('div', {class: 'buttons'}, buttons), holder)];
}

function sizes() {
  if (report.files.length === 0) return null;
  const largest = Math.max(1, ...report.files.map((file) => file.size_bytes));
  const runs = report.runs.filter((run) => run.peak_memory_bytes !== null || run.compile_ns !== null);
  const files = card(el('h3', null, 'Files'), table([
    {title: 'File', long: true, cell: (file) => [file.label, el('br'), el('code', null, file.path)]},
    {title: 'Size', number: true, cell: (file) => [format.bytes(file.size_bytes), bar(file.size_bytes / largest)]},
    {title: 'SHA-256', cell: (file) => el('code', {title: file.sha256}, format.hash(file.sha256))},
  ], report.files));
  const memory = runs.length === 0 ? null : card(el('h3', null, 'Memory and compilation'), table([
    {title: 'Variant', cell: (run) => run.variant}, {title: 'Target', cell: (run) => run.target},
    {title: 'Peak memory', number: true, cell: (run) => format.bytes(run.peak_memory_bytes)},
    {title: 'Compile time', number: true, cell: (run) => format.time(run.compile_ns)},
  ], runs));
  return ['Sizes', null, el('div', {class: 'grid'}, files, memory)];
}

function changes() {
  if (report.passes.length === 0 && report.precision.length === 0) return null;
  const parts = [];
  if (report.passes.length > 0) {
    parts.push(card(el('h3', null, 'Passes'), table([
      {title: 'Pass', cell: (pass) => el('code', null, pass.name), sort: (pass) => pass.name},
      {title: 'Variant', cell: (pass) => pass.variant || 'all'},
      {title: 'Changes', number: true, cell: (pass) => format.integer(pass.changes), sort: (pass) => pass.changes},
      {title: 'Time', number: true, cell: (pass) => format.time(pass.time_ns), sort: (pass) => pass.time_ns},
      {title: 'What', long: true, cell: (pass) => pass.detail},
    ], report.passes, {sortable: true})));
  }
  if (report.precision.length > 0) {
    const groups = new Map();
    report.precision.forEach((row) => {
      const key = row.precision + (row.variant ? ' of ' + row.variant : '') + (row.target ? ' on ' + row.target : '');
      groups.set(key, [...(groups.get(key) || []), row]);
    });
    const measured = report.precision.some((row) => row.sensitivity !== null || row.snr_db !== null);
    const number = (value, text) => value === null ? MISSING : text(value);
    parts.push(card(el('h3', null, 'Precision of the nodes'),
      el('p', null, [...groups].map(([precision, rows]) => rows.length + ' nodes in ' + precision).join(', ') + '.'),
      [...groups].map(([precision, rows]) => el('details', {open: rows.some((row) => row.reason)},
        el('summary', null, precision + ': ' + rows.length + ' nodes'), table([
          {title: 'Node', long: true, cell: (row) => el('code', null, row.node), sort: (row) => row.node},
          {title: 'Operator', cell: (row) => row.op_type},
          ...(!measured ? [] : [
            {title: 'Metric lost', number: true, cell: (row) => number(row.sensitivity, (x) => format.percent(x, 2)), sort: (row) => row.sensitivity},
            {title: 'SNR, dB', number: true, cell: (row) => number(row.snr_db, (x) => format.fixed(x, 1)), sort: (row) => row.snr_db},
            {title: 'Float', number: true, cell: (row) => number(row.float_ns, format.time), sort: (row) => row.float_ns},
            {title: 'INT8', number: true, cell: (row) => number(row.int8_ns, format.time), sort: (row) => row.int8_ns},
          ]),
          {title: 'Reason', long: true, cell: (row) => row.reason || MISSING},
        ], rows, {sortable: true})))));
  }
  return ['What was changed', null, ...parts];
}

function checks() {
  if (report.checks.length === 0) return null;
  return ['Operator check by target', null, report.checks.map((check) => {
    const all = check.nodes_supported === check.nodes_total;
    return card(el('h3', null, check.target, el('small', null, check.available ?
        check.nodes_supported + ' of ' + check.nodes_total + ' nodes supported' : 'not available')),
      el('p', null, !check.available ? [mark(false, '', 'NOT AVAILABLE'), ' ', check.reason] : mark(all, 'ALL SUPPORTED', 'NOT ALL SUPPORTED')),
      check.nodes.length === 0 ? null : table([
        {title: 'Node', long: true, cell: (row) => el('code', null, row.node)},
        {title: 'Operator', cell: (row) => row.op_type},
        {title: 'Verdict', cell: (row) => mark(row.verdict === 'supported', row.verdict, row.verdict)},
        {title: 'Reason and remedy', long: true, cell: (row) => [row.reason, row.remedy ? ' ' + row.remedy : ''].join('')},
      ], check.nodes));
  })];
}

function references() {
  if (report.references.length === 0) return null;
  return ['Against the training framework', 'Largest error relative to the largest reference value of the tensor, on recorded inputs.', card(table([
    {title: 'Reference', cell: (row) => row.reference},
    {title: 'Variant', cell: (row) => row.variant}, {title: 'Target', cell: (row) => row.target},
    {title: 'Output', cell: (row) => el('code', null, row.output)},
    {title: 'Samples', number: true, cell: (row) => format.integer(row.samples)},
    {title: 'Max relative', number: true, cell: (row) => row.metrics.max_rel === null ? '∞' : format.ratio(row.metrics.max_rel)},
    {title: 'Max absolute', number: true, cell: (row) => format.number(row.metrics.max_abs)},
    {title: 'SNR', number: true, cell: (row) => row.metrics.snr_db === null ? '∞' : format.fixed(row.metrics.snr_db, 1) + ' dB'},
    {title: 'Cosine', number: true, cell: (row) => format.fixed(row.metrics.cosine, 6)},
    {title: 'NaN or inf', number: true, cell: (row) => format.integer(row.metrics.nan_mismatches + row.metrics.infinity_mismatches)},
    {title: 'Limit', number: true, cell: (row) => row.max_rel_limit === null ? MISSING : '≤ ' + format.percent(row.max_rel_limit)},
    {title: 'Verdict', cell: (row) => row.max_rel_limit === null ? MISSING : mark(row.passed, 'PASS', 'FAIL')},
  ], report.references))];
}

function equivalence() {
  if (report.equivalence.length === 0) return null;
  return ['The optimised model beside the original', 'Both run on ' + report.equivalence[0].engine + ' without its own rewriting; largest error relative to the output\'s range.', card(table([
    {title: 'Variant', cell: (row) => row.variant},
    {title: 'Shapes', cell: (row) => row.shapes || 'fixed'}, {title: 'Data', long: true, cell: (row) => row.data},
    {title: 'Runs', number: true, cell: (row) => format.integer(row.runs)},
    {title: 'Output', cell: (row) => el('code', null, row.output)}, {title: 'Type', cell: (row) => row.dtype},
    {title: 'Max relative', number: true, cell: (row) => row.metrics.max_rel === null ? '∞' : format.ratio(row.metrics.max_rel)},
    {title: 'Max absolute', number: true, cell: (row) => format.number(row.metrics.max_abs)},
    {title: 'Limit', number: true, cell: (row) => row.limit === 0 ? 'equal' : '≤ ' + format.percent(row.limit)},
    {title: 'Verdict', cell: (row) => row.note ? row.note : mark(row.passed, 'PASS', 'FAIL')},
  ], report.equivalence))];
}

// How the ONNX model was made from another framework's.
function exported() {
  const made = report.exported;
  if (!made) return null;
  const rows = [['Source', made.format + ' ' + made.source], ['Framework', made.framework], ['Exporter', made.exporter],
                ['Opset', format.integer(made.opset)], ['Nodes', format.integer(made.nodes_after) +
                 (made.nodes_before === made.nodes_after ? '' : ', ' + format.integer(made.nodes_before) + ' before simplifying')],
                ['Compared on', made.data], ['Made', made.reused ? 'earlier; nothing had changed since' : 'in this deployment'],
                ['Source SHA-256', made.source_sha256 && el('code', null, made.source_sha256)]];
  const relative = (value) => value === null ? '∞' : format.ratio(value);
  return ['Export', 'The ONNX model beside the framework that it comes from, on the same inputs; errors relative to the output\'s range.',
    card(el('dl', {class: 'facts'}, rows.filter((row) => row[1]).map(([name, value]) =>
      el('div', null, el('dt', null, name), el('dd', null, value))))),
    card(table([
      {title: 'Output', cell: (row) => el('code', null, row.name)}, {title: 'Type', cell: (row) => row.dtype},
      {title: 'Samples', number: true, cell: (row) => format.integer(row.samples)},
      {title: 'Max relative', number: true, cell: (row) => relative(row.max_rel)},
      {title: 'Mean relative', number: true, cell: (row) => relative(row.mean_rel)},
      {title: 'Limit', number: true, cell: () => '≤ ' + format.percent(made.max_rel_limit)},
    ], made.outputs)),
    made.notes.length === 0 ? null : card(el('ul', {class: 'notes'}, made.notes.map((line) => el('li', null, line))))];
}

function calibration() {
  const facts = report.calibration;
  if (!facts) return null;
  const rows = [['Method', facts.method], ['Samples', format.integer(facts.samples)], ['Tensors observed', format.integer(facts.tensors)],
                ['Time', format.time(facts.time_ns)], ['Data', facts.data], ['Cache SHA-256', facts.sha256 && el('code', null, facts.sha256)]];
  return ['Calibration', null, card(el('dl', {class: 'facts'}, rows.filter((row) => row[1]).map(([name, value]) =>
    el('div', null, el('dt', null, name), el('dd', null, value)))))];
}

function geometry() {
  const found = report.geometry;
  if (!found) return null;
  const levels = (value) => format.fixed(value, 2);
  const facts = [['Input', found.input], ['Pictures', format.integer(found.samples)], ['Data', found.data], ['Mean', levels(found.mean_levels)],
                 ['99 % below', levels(found.p99_levels)], ['Largest', levels(found.max_levels)]];
  return ['One interpolation beside OpenCV\'s steps', 'The contract says geometry: fused. Differences of its input from that of geometry: opencv, in grey levels of 255.',
    card(el('dl', {class: 'facts'}, facts.map(([name, value]) => el('div', null, el('dt', null, name), el('dd', null, value))))),
    found.accuracy.length === 0 ? null : card(table([
      {title: 'Variant', cell: (row) => row.variant}, {title: 'Target', cell: (row) => row.target},
      {title: 'Accuracy, fused', number: true, cell: (row) => format.percent(row.fused)},
      {title: 'Accuracy, opencv', number: true, cell: (row) => format.percent(row.opencv)},
      {title: 'Fused against opencv', number: true, cell: (row) => format.points(row.fused - row.opencv)},
    ], found.accuracy))];
}

function pictures() {
  if (report.pictures.length === 0) return null;
  const wrong = report.pictures.filter((picture) => picture.wrong).length;
  return ['Test pictures', report.pictures.length + ' shown, ' + (wrong ? wrong + ' with a wrong prediction, listed first.' : 'every prediction right.'),
    el('div', {class: 'pictures'}, report.pictures.map((picture) => el('figure', {class: picture.wrong ? 'wrong' : null},
      el('div', {class: 'frame'}, picture.jpeg_base64 ?
        el('img', {src: 'data:image/jpeg;base64,' + picture.jpeg_base64, alt: picture.name + ', ' + picture.label, loading: 'lazy'}) : null),
      el('figcaption', null,
        el('div', {class: 'row'}, el('span', null, 'label'), el('b', null, picture.label)),
        picture.predictions.map((one) => el('div', {class: 'row' + (one.label === picture.label ? '' : ' wrong')},
          el('span', {class: 'from', title: runName(one)}, runName(one)), el('span', null, one.label + ' ' + format.percent(one.confidence, 0)))),
        el('div', {class: 'file', title: picture.name}, picture.name.split('/').pop())))))];
}

function scenes() {
  const sheet = report.scenes;
  if (!sheet) return null;
  const image = (type, data, one, what) => el('figure', null,
    el('figcaption', null, el('b', null, runName(one)), ' ' + what),
    data ? el('img', {src: 'data:image/' + type + ';base64,' + data, alt: runName(one) + ', ' + what, loading: 'lazy'}) : null);
  return ['Scenes', 'Evaluation frames with the boxes of the original model and of the deployed one; truth is white and dashed. Arrows: where each will be in a second.',
    el('div', {class: 'scenes'},
      sheet.pictures.map((one) => image('jpeg', one.jpeg_base64, one, 'scene ' + one.scene + ', frame ' + one.frame)),
      sheet.maps.map((one) => image('png', one.png_base64, one, format.integer(one.frames) + ' frames from above')))];
}

function failedRuns() {
  const runs = report.runs.filter((run) => run.failure);
  if (runs.length === 0) return null;
  return ['Runs that failed', null, card(table([
    {title: 'Variant', cell: (run) => run.variant}, {title: 'Target', cell: (run) => run.target},
    {title: 'Reason', long: true, cell: (run) => run.failure},
  ], runs))];
}

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  drawCharts();
}

const order = [
  ['Summary', summary], ['Acceptance', acceptance], ['Failed runs', failedRuns], ['Accuracy', accuracy], ['Drift', drift],
  ['Robustness', robustness], ['Latency', latency],
  ['Nodes', nodeTimes], ['Sizes', sizes], ['Changes', changes], ['Operators', checks], ['Reference', references],
  ['Export', exported], ['Proof', equivalence], ['Calibration', calibration], ['Geometry', geometry], ['Pictures', pictures],
  ['Scenes', scenes],
];

function build() {
  const prefersDark = window.matchMedia('(prefers-color-scheme: dark)');
  document.documentElement.dataset.theme = prefersDark.matches ? 'dark' : 'light';
  document.title = (report.passed ? 'PASS' : 'FAIL') + ' · ' + report.model_name + ' · Tarmac deploy report';
  const links = el('div');
  const main = el('main', null, el('section', null, banners()));
  for (const [link, make] of order) {
    const made = make();
    if (!made) continue;
    const [title, lead, ...content] = made;
    main.append(el('section', {id: make.name}, el('h2', null, title), lead ? el('p', {class: 'lead'}, lead) : null, content));
    links.append(el('a', {href: '#' + make.name}, link));
  }
  if (!main.firstChild.hasChildNodes()) main.firstChild.remove();
  const theme = el('button', {type: 'button'}, 'Light / dark');
  theme.addEventListener('click', () => setTheme(document.documentElement.dataset.theme === 'dark' ? 'light' : 'dark'));
  links.append(theme);
  main.append(el('footer', null, 'Schema ' + report.schema + ' version ' + report.schema_version +
    '. The same facts for programs are in report.json.'));
  document.getElementById('report').append(masthead(), el('nav', null, links), main);
  drawCharts();
  prefersDark.addEventListener('change', (event) => setTheme(event.matches ? 'dark' : 'light'));
  // Paper is white: print in the light theme, with every list open.
  let before = null;
  window.addEventListener('beforeprint', () => {
    before = document.documentElement.dataset.theme;
    document.querySelectorAll('details').forEach((entry) => { entry.open = true; });
    setTheme('light');
  });
  window.addEventListener('afterprint', () => setTheme(before));
}

build();
