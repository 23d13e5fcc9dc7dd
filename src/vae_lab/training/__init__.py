"""One run: assembly, trainer, loggers, the run itself, and its model back from disk."""
