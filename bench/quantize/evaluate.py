"""The metric of quantised models on a case's evaluation data: evaluate.py CASE ENGINE MODEL…; JSON on stdout, one entry a model."""

import json
import sys

from cases import all_cases
from engines import ENGINES


def main():
    case, engine = all_cases()[sys.argv[1]], ENGINES[sys.argv[2]]
    json.dump([case.score(engine(path, [1, 3, *case.size]).predict) for path in sys.argv[3:]], sys.stdout)


if __name__ == "__main__":
    main()
