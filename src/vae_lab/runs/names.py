"""What things are called in a run directory and in a sweep directory."""

RESULT = "result.json"
SWEEP = "sweep.json"
PROBE = "probe.json"
CURVES = "metrics.csv"
CHECKPOINTS = "checkpoints"
LOCK = ".lock"
AGAIN = ("probe", "cure")  # folders of a run directory: the runs that train it again
