"""What things are called in a run directory and in a sweep directory."""

RESULT = "result.json"
SWEEP = "sweep.json"
CURVES = "metrics.csv"
CHECKPOINTS = "checkpoints"
LOCK = ".lock"
