# What only the program and this tree's own build need.

find_package(CLI11 REQUIRED)

# Chart.js in one file, for embedding into reports.
find_file(TARMAC_CHART_JS Chart.min.js PATHS /usr/share/javascript/chart.js REQUIRED)
mark_as_advanced(TARMAC_CHART_JS)
